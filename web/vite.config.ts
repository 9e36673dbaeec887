import { defineConfig } from 'vite';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { mockApi } from './mock/plugin.mjs';
import { contentSecurityPolicy, precompress } from './scripts/build_plugins.mjs';

// `vite` alone serves the pages over the mock API; with CASTIEL_URL it forwards to a running server.
const backend = process.env.CASTIEL_URL;

export default defineConfig({
  plugins: [svelte(), ...(backend ? [] : [mockApi()]), contentSecurityPolicy(), precompress()],
  build: {
    target: 'es2022',
    outDir: 'dist',
    assetsDir: 'assets',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: backend
    ? { proxy: { '/api': backend, '/health': backend, '/metrics': backend } }
    : {},
});
