// One browser a suite, one context a test; a page that logs an error, asks another host or fails to load a file fails its test.
import assert from 'node:assert/strict';
import { startChromium } from '../../scripts/chromium.mjs';

export async function startBrowser(base) {
  const browser = await startChromium();
  return {
    close: () => browser.close(),
    async visit(path, options = {}, allow = []) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', reducedMotion: 'reduce', ...options });
      context.setDefaultTimeout(10_000);
      const page = await context.newPage();
      const trouble = [];
      page.on('pageerror', (error) => trouble.push(`exception: ${error.message}`));
      page.on('console', (message) => {
        if (message.type() === 'error') trouble.push(`console: ${message.text()}`);
      });
      page.on('request', (request) => {
        if (!request.url().startsWith(base) && !request.url().startsWith('data:')) trouble.push(`foreign request: ${request.url()}`);
      });
      // The page is there when what it asked for at first has been answered and drawn; the live feed never ends.
      let waiting = 0;
      const counts = (request) => request.url().startsWith(`${base}/api/`) && !request.url().includes('/api/v1/live');
      page.on('request', (request) => (waiting += counts(request)));
      for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => (waiting -= counts(request)));
      await page.goto(base + path);
      await eventually(() => waiting, (count) => count === 0, 'requests of the first page');
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      return {
        page,
        async done() {
          await context.close();
          assert.deepEqual(trouble.filter((line) => !allow.some((pattern) => pattern.test(line))), []);
        },
      };
    },
  };
}

/** Waits until `read` gives a value `accept` accepts; throws with the last value otherwise. */
export async function eventually(read, accept, what, limitMs = 10_000) {
  const until = Date.now() + limitMs;
  let last;
  do {
    last = await read();
    if (accept(last)) return last;
    await new Promise((resolve) => setTimeout(resolve, 25));
  } while (Date.now() < until);
  throw new Error(`${what}: still ${JSON.stringify(last)} after ${limitMs} ms`);
}

// Waits until the page shows exactly so many: an answer may still be on its way.
export const shows = (locator, n, what = String(locator)) => eventually(() => locator.count(), (count) => count === n, `${what}: ${n} wanted`);

export const parameters = (page) => Object.fromEntries(new URL(page.url()).searchParams);
export const texts = (locator) => locator.allInnerTexts();

export async function checkStructure(page) {
  assert.equal(await page.locator('h1').count(), 1, 'one h1');
  assert.equal(await page.locator('main').count(), 1, 'one main');
  assert.equal(await page.locator('nav[aria-label]').count(), 1, 'one labelled nav');
  const faults = await page.evaluate(() => {
    const found = [];
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) found.push(`id twice: ${id}`);
    for (const field of document.querySelectorAll('input, select, textarea')) {
      if (field.labels?.length === 0 && !field.getAttribute('aria-label')) found.push(`no label: ${field.outerHTML.slice(0, 80)}`);
    }
    for (const control of document.querySelectorAll('button, a[href]')) {
      if (!control.textContent.trim() && !control.getAttribute('aria-label')) found.push(`no name: ${control.outerHTML.slice(0, 80)}`);
    }
    for (const picture of document.querySelectorAll('svg:not([aria-hidden])')) {
      if (picture.getAttribute('role') !== 'img' || !picture.getAttribute('aria-label')) found.push(`drawing without words: ${picture.outerHTML.slice(0, 80)}`);
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the window: ${document.documentElement.scrollWidth} > ${innerWidth}`);
    return found;
  });
  assert.deepEqual(faults, []);
}
