// Starts the machine's Chromium, never one downloaded by a package.
import { chromium } from 'playwright-core';

export function startChromium() {
  return chromium.launch({
    executablePath: process.env.CASTIEL_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
}
