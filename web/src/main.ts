import { mount } from 'svelte';
import App from './App.svelte';
import { tenants } from './lib/tenants.svelte';
import './app.css';

// Started before the first component, so that it runs beside the page's own requests.
void tenants.load();

const target = document.getElementById('app');
if (target) mount(App, { target });
