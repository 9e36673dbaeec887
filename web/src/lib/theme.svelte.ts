import { recall, remember } from './storage';

export type Theme = 'auto' | 'light' | 'dark';

class ThemeChoice {
  choice = $state<Theme>(read());

  next(): void {
    this.choice = this.choice === 'auto' ? 'light' : this.choice === 'light' ? 'dark' : 'auto';
    remember('theme', this.choice === 'auto' ? null : this.choice);
    if (this.choice === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }
}

function read(): Theme {
  const kept = recall('theme');
  return kept === 'light' || kept === 'dark' ? kept : 'auto';
}

export const theme = new ThemeChoice();
