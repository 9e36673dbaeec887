// node scripts/screenshots.mjs FOLDER [BASE-URL]: every page at 1440 and 390 px, light and dark.
// Without a base URL the pages show the mock API over web/dist.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startMockServer } from '../mock/server.mjs';
import { startChromium } from './chromium.mjs';

const [folder, given] = process.argv.slice(2);
if (!folder) {
  console.error('usage: npm run screenshots -- FOLDER [BASE-URL]');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

const server = given ? null : await startMockServer();
const base = given ?? server.url;
const json = async (path) => (await fetch(`${base}/api/v1${path}`)).json();
const tenant = process.env.CASTIEL_TENANT ?? (await json('/tenants')).items[0]?.tenant;
if (!tenant) throw new Error('the server has no tenant to show');
const first = async (path) => (await json(`${path}${path.includes('?') ? '&' : '?'}tenant=${tenant}`)).items[0];

const deal = await first('/deals?sort=-risk&limit=1');
const job = await first('/imports');
const letter = await first('/dlq');
if (server) {
  server.mock.emit('import', server.mock.worlds.demo.importRunning(0.42));
}

const pages = {
  overview: '/',
  deals: '/deals',
  ...(deal && { deal: `/deals/${deal.id}` }),
  ...(server && deal && { source_mail: `/source/${deal.id}-reply?mark=budget`, source_call: `/source/${deal.id}-call?segment=5`, source_document: `/source/${deal.id}-offer?page=2`, source_chat: `/source/${deal.id}-chat`, source_event: `/source/${deal.id}-event`, search: '/search?q=price' }),
  ...(!server && Object.fromEntries((await Promise.all(['email', 'message', 'meeting', 'document', 'event'].map(async (type) => [`source_${type}`, await first(`/shards?type=${type}&limit=1`)]))).filter(([, shard]) => shard).map(([name, shard]) => [name, `/source/${shard.id}`]))),
  ...(!server && { search: '/search?q=price' }),
  forecast: '/forecast',
  review: '/review',
  imports: '/imports',
  ...(job && { import: `/imports/${job.correlationId}` }),
  operations: '/operations',
  ...(letter && { dead_letter: `/operations/dead-letters/${letter.id}` }),
  ...(server && { quarantined: '/operations/quarantine/q-2' }),
  ...(job && { trace: `/operations/trace/${job.correlationId}` }),
  ...(server && { empty: '/?tenant=empty', error: '/?tenant=broken', unknown_currency: '/?tenant=plain', not_found: '/nowhere' }),
};

const browser = await startChromium();
for (const width of [1440, 390]) {
  for (const scheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height: width === 390 ? 844 : 900 }, colorScheme: scheme, deviceScaleFactor: width === 390 ? 2 : 1, reducedMotion: 'reduce' });
    const page = await context.newPage();
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(base + path + (path.includes('tenant=') ? '' : `${path.includes('?') ? '&' : '?'}tenant=${tenant}`));
      await page.locator('main section, main .empty, main [role=alert], main table, main ul, main ol').first().waitFor();
      await page.locator('[role=status]:has-text("Loading")').first().waitFor({ state: 'detached' });
      // Whatever is still being fetched has an end; the live stream has none and is not waited for.
      await page.waitForFunction(() => performance.getEntriesByType('resource').length > 0 && document.fonts.status === 'loaded');
      // As tall as the page, so that what is fixed to the window's edge is at the picture's edge.
      const wanted = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width, height: Math.min(wanted, 4000) });
      await page.screenshot({ path: join(folder, `${name}-${width}-${scheme}.png`) });
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
    }
    await context.close();
  }
}
await browser.close();
await server?.close();
console.log(`${Object.keys(pages).length * 4} pictures in ${folder}`);
