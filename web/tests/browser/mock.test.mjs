import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startMockServer } from '../../mock/server.mjs';
import { checkStructure, eventually, parameters, shows, startBrowser, texts } from './harness.mjs';

let server;
let browser;

before(async () => {
  server = await startMockServer({ slowMs: 700 });
  browser = await startBrowser(server.url);
});
after(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(() => server.mock.cutLive(false));

const world = () => server.mock.worlds.demo;
const kPages = {
  '/': 'Overview',
  '/deals': 'Deals',
  '/forecast': 'Forecast',
  '/review': 'Review',
  '/search?q=price': 'Search',
  '/imports': 'Imports',
  '/imports/imp-2017112009-7f3a': 'Import examples/workspace',
  '/operations': 'Operations',
  '/operations/dead-letters/dl-2': 'Amount "12,4O0" is not a number',
  '/operations/quarantine/q-2': 'opportunity 1C1BTR: other content than in opportunities.csv line 12, with the same modification time; the earlier one was kept',
  '/operations/trace/imp-2017112009-7f3a': 'Trace imp-2017112009-7f3a',
};
const settled = (page) => page.locator('main section').first().waitFor();

for (const [path, heading] of Object.entries(kPages)) {
  for (const width of [1280, 390]) {
    test(`${path} shows its heading, is well-formed and fits at ${width} px`, async () => {
      const { page, done } = await browser.visit(path, { viewport: { width, height: 800 } });
      assert.equal((await page.locator('h1').innerText()).trim(), heading);
      await page.locator(path === '/deals' ? '[data-row="0"]' : 'main section, main ol').first().waitFor();
      await checkStructure(page);
      await done();
    });
  }
}

test('the overview draws each period, each stage and links to what it names', async () => {
  const { page, done } = await browser.visit('/');
  const forecast = page.getByRole('region', { name: 'Forecast', exact: true });
  await shows(forecast.locator('tbody tr'), world().periods.length);
  await shows(forecast.locator('.lane .band'), world().periods.length);
  await page.getByRole('region', { name: 'Pipeline by stage' }).getByRole('link', { name: 'Proposal' }).click();
  await page.locator('[data-row="0"]').waitFor();
  assert.equal(parameters(page).stage, 'Proposal');
  const stages = await texts(page.locator('tbody tr td:nth-child(2)'));
  assert.ok(stages.length > 0 && stages.every((stage) => stage === 'Proposal'), stages.join());
  await done();
});

test('a column head sorts, says so to a screen reader, and turns round when pressed again', async () => {
  const { page, done } = await browser.visit('/deals');
  const head = page.locator('th', { has: page.getByRole('button', { name: 'Amount' }) });
  assert.equal(await page.locator('th[aria-sort="descending"]').innerText(), 'Risk\n↓'.replace('\n', ''));
  await head.getByRole('button').click();
  await page.locator('th[aria-sort="descending"]', { hasText: 'Amount' }).waitFor();
  assert.equal(parameters(page).sort, '-amount');
  const amounts = () => page.locator('tbody td:nth-child(3)').evaluateAll((cells) => cells.map((cell) => Number(cell.textContent.replace(/[^\d.]/g, ''))).filter(Boolean));
  await eventually(amounts, (list) => list.length > 5 && list.every((value, index) => index === 0 || value <= list[index - 1]), 'amounts fall');
  await head.getByRole('button').click();
  assert.equal(parameters(page).sort, 'amount');
  await eventually(amounts, (list) => list.every((value, index) => index === 0 || value >= list[index - 1]), 'amounts rise');
  await done();
});

test('filters live in the address: they survive a reload, and back undoes the last one', async () => {
  const { page, done } = await browser.visit('/deals');
  await page.locator('[data-row="0"]').waitFor();
  await page.getByLabel('Risk').selectOption('high');
  await page.getByLabel('Owner').selectOption('Zane Levy');
  await page.getByPlaceholder('Name or account').fill('renewal');
  await eventually(() => parameters(page).q, (q) => q === 'renewal', 'text in the address');
  await page.reload();
  await page.locator('main').getByText('deal').first().waitFor();
  assert.equal(await page.getByLabel('Risk').inputValue(), 'high');
  assert.equal(await page.getByLabel('Owner').inputValue(), 'Zane Levy');
  assert.equal(await page.getByPlaceholder('Name or account').inputValue(), 'renewal');
  const asked = server.mock.log.filter((entry) => entry.path === '/api/v1/deals').pop();
  assert.ok(asked);
  await page.goBack();
  await eventually(() => page.getByLabel('Owner').inputValue(), (value) => value === '', 'owner undone');
  assert.equal(await page.getByLabel('Risk').inputValue(), 'high');
  await page.getByRole('button', { name: 'Clear' }).click();
  await eventually(() => parameters(page).risk ?? null, (value) => value === null, 'cleared');
  await done();
});

test('filters that match nothing say so', async () => {
  const { page, done } = await browser.visit('/deals?q=zzzz');
  await page.getByText('No deal matches these filters').waitFor();
  await done();
});

test('j, k, Enter, / and ? work, and not while typing', async () => {
  const { page, done } = await browser.visit('/deals');
  await page.locator('[data-row="0"]').waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.locator('[data-row="1"].selected').waitFor();
  const name = await page.locator('[data-row="1"] a').innerText();
  await page.keyboard.press('/');
  await page.keyboard.type('jk?');
  assert.equal(await page.getByPlaceholder('Name or account').inputValue(), 'jk?');
  await page.getByPlaceholder('Name or account').fill('');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'hidden' });
  await eventually(() => parameters(page).q ?? null, (q) => q === null, 'search emptied');
  await page.locator('[data-row="0"]').waitFor();
  await page.reload();
  await page.locator('[data-row="1"]').waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.locator('[data-row="1"].selected').waitFor();
  await page.keyboard.press('Enter');
  await eventually(() => page.locator('h1').innerText(), (text) => text === name, 'the deal opened');
  await page.keyboard.press('g');
  await page.keyboard.press('f');
  await eventually(() => new URL(page.url()).pathname, (path) => path === '/forecast', 'g f leads to the forecast');
  await done();
});

test('the rest of a long list comes with a button', async () => {
  const { page, done } = await browser.visit('/deals?status=all');
  await page.getByRole('button', { name: 'Load 100 more' }).click();
  await page.locator(`[data-row="${world().deals.length - 1}"]`).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Load 100 more' }).count(), 0);
  await done();
});

test('a phone gets cards instead of a table', async () => {
  const { page, done } = await browser.visit('/deals', { viewport: { width: 390, height: 844 }, hasTouch: true });
  await page.locator('li[data-row="0"]').waitFor();
  assert.equal(await page.locator('table').count(), 0);
  await page.locator('li[data-row="0"]').click();
  await page.getByRole('region', { name: 'Win probability' }).waitFor();
  await checkStructure(page);
  await done();
});

test('a deal shows its contributions strongest first, with evidence that leads to the trace', async () => {
  const deal = world().deals.find((row) => row.status === 'open' && row.hidden.pushes > 1 && row.risk.level === 'high');
  const { page, done } = await browser.visit(`/deals/${deal.id}`);
  const section = page.getByRole('region', { name: 'Win probability' });
  const effects = (await texts(section.locator('.amount'))).map((text) => Math.abs(Number(text.replace('−', '-'))));
  assert.equal(effects.length, 5);
  assert.deepEqual(effects, [...effects].sort((a, b) => b - a));
  assert.match(await page.getByRole('region', { name: 'Over time' }).innerHTML(), new RegExp(`${deal.hidden.pushes} pushes`));
  await shows(page.getByRole('region', { name: 'Timeline' }).locator('li'), Math.min(12, world().entries(deal).length));
  assert.match(await page.getByRole('region', { name: 'Source' }).innerText(), /opportunities\.csv, line \d+/);
  await section.getByRole('link', { name: 'trace' }).first().click();
  await page.getByRole('region', { name: 'Stages' }).waitFor();
  assert.deepEqual(await texts(page.getByRole('region', { name: 'Stages' }).locator('h3')), ['files', 'crm', 'linking', 'insights']);
  await done();
});

test('a deal that does not exist shows the problem in the words of the server', async () => {
  const { page, done } = await browser.visit('/deals/none', {}, [/404/]);
  await page.getByRole('alert').getByText('No such deal').waitFor();
  await done();
});

test('the forecast groups by team and keeps that in the address', async () => {
  const { page, done } = await browser.visit('/forecast');
  await page.getByText('Team', { exact: true }).click();
  const groups = page.getByRole('region', { name: 'Q4 2017 by team' });
  await eventually(() => texts(groups.locator('tbody th')), (list) => list.join() === 'Central,East,West', 'teams');
  assert.equal(parameters(page).by, 'team');
  await page.getByRole('combobox', { name: 'Period' }).selectOption('2018-Q1');
  await page.getByRole('region', { name: 'Q1 2018 by team' }).waitFor();
  await page.reload();
  await page.getByRole('region', { name: 'Q1 2018 by team' }).waitFor();
  await done();
});

test('backtest and calibration are drawn, and their numbers can be read', async () => {
  const { page, done } = await browser.visit('/forecast');
  const backtest = page.getByRole('region', { name: 'Backtest' });
  await backtest.getByText(/of 10 results fell inside P10–P90/).waitFor();
  await shows(backtest.locator('circle'), 10);
  await backtest.getByText('Show the numbers').click();
  await shows(backtest.locator('tbody tr'), 10);
  const calibration = page.getByRole('region', { name: 'Calibration' });
  await shows(calibration.locator('circle'), 10);
  await page.getByText('The model makes 24% less squared error').waitFor();
  await done();
});

test('an error shows title, detail and code, and trying again works', async () => {
  const { page, done } = await browser.visit('/?tenant=broken', {}, [/503/]);
  const alert = page.getByRole('alert');
  await alert.getByText('The store is busy').waitFor();
  await alert.getByText('The database is being checkpointed').waitFor();
  await alert.getByText('store_busy').waitFor();
  const asked = () => server.mock.log.filter((entry) => entry.path === '/api/v1/overview' && entry.query.tenant === 'broken').length;
  const earlier = asked();
  await alert.getByRole('button', { name: 'Try again' }).click();
  await eventually(asked, (count) => count > earlier, 'asked again');
  await page.route('**/api/v1/overview?tenant=broken', async (route) => route.fulfill({ json: world().overview }));
  await alert.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('region', { name: 'Pipeline by stage' }).waitFor();
  assert.equal(await alert.count(), 0);
  await done();
});

test('a server that is gone leaves the last answer on the page', async () => {
  const { page, done } = await browser.visit('/deals', {}, [/ERR_FAILED/]);
  await page.locator('[data-row="0"]').waitFor();
  await page.route('**/api/v1/deals?*', (route) => route.abort());
  await page.getByRole('button', { name: 'Amount' }).click();
  await page.getByRole('alert').getByText('Castiel does not answer').waitFor();
  await done();
});

for (const [path, words] of Object.entries({ '/': 'No deals in empty yet', '/deals': 'No open deals in empty', '/forecast': 'Nothing to forecast yet', '/imports': 'Nothing was imported into empty yet' })) {
  test(`${path} of an empty tenant says what to do`, async () => {
    const { page, done } = await browser.visit(`${path}?tenant=empty`);
    await page.getByText(words).waitFor();
    await page.getByText('castiel import examples/workspace --tenant empty').waitFor();
    await done();
  });
}

test('without any tenant the first page explains the first import', async () => {
  const { page, done } = await browser.visit('/nowhere');
  await page.route('**/api/v1/tenants?*', (route) => route.fulfill({ json: { items: [], next: null } }));
  await page.evaluate(() => localStorage.clear());
  await page.goto(server.url);
  await page.getByRole('heading', { name: 'Nothing imported yet' }).waitFor();
  await done();
});

test('a skeleton appears only when the answer takes its time', async () => {
  const watch = () => {
    globalThis.sawSkeleton = false;
    new MutationObserver(() => {
      if ([...document.querySelectorAll('[role=status]')].some((element) => element.textContent.trim() === 'Loading')) globalThis.sawSkeleton = true;
    }).observe(document, { childList: true, subtree: true });
  };
  const slow = await browser.visit('/nowhere');
  await slow.page.addInitScript(watch);
  await slow.page.goto(`${server.url}/?tenant=slow`);
  await settled(slow.page);
  assert.equal(await slow.page.evaluate(() => globalThis.sawSkeleton), true);
  await slow.page.route('**/api/v1/overview?*', (route) => route.fulfill({ json: world().overview }));
  await slow.page.goto(`${server.url}/?tenant=demo`);
  await settled(slow.page);
  assert.equal(await slow.page.evaluate(() => globalThis.sawSkeleton), false);
  await slow.done();
});

test('the tenant is chosen in the header and kept in the address and for the next visit', async () => {
  const { page, done } = await browser.visit('/deals');
  await page.locator('[data-row="0"]').waitFor();
  await page.getByLabel('Tenant').selectOption('plain');
  await eventually(() => parameters(page).tenant, (tenant) => tenant === 'plain', 'tenant in the address');
  await page.locator('[data-row="0"]').waitFor();
  await page.getByRole('link', { name: 'Forecast' }).click();
  assert.equal(parameters(page).tenant, 'plain');
  await page.goto(`${server.url}/deals`);
  await page.locator('[data-row="0"]').waitFor();
  assert.equal(await page.getByLabel('Tenant').inputValue(), 'plain');
  await done();
});

test('money without a stated currency is a plain number that says so', async () => {
  const { page, done } = await browser.visit('/deals?tenant=plain&sort=-amount');
  const cell = page.locator('[data-row="0"] td:nth-child(3) span');
  await cell.waitFor();
  assert.match(await cell.innerText(), /^[\d,]+$/);
  assert.equal(await cell.getAttribute('title'), 'currency not stated by the source');
  await done();
});

test('an import is followed live, and its end is noticed', async () => {
  const { page, done } = await browser.visit('/imports');
  await page.locator('[data-live="live"]').waitFor();
  server.mock.emit('import', world().importRunning(0.25));
  const bar = page.getByRole('progressbar');
  await bar.waitFor();
  assert.equal(await bar.getAttribute('value'), '0.25');
  server.mock.emit('import', world().importRunning(0.75));
  await eventually(() => bar.getAttribute('value'), (value) => value === '0.75', 'progress');
  await page.getByText('5,800 records/s').waitFor();
  await page.getByRole('link', { name: 'Details' }).click();
  await page.getByRole('heading', { name: 'Import exports/2017-11-20 and 1 more' }).waitFor();
  await eventually(() => bar.getAttribute('value'), (value) => value === '0.75', 'progress on its page');
  server.mock.emit('import', world().importRunning(1));
  await page.getByRole('status').getByText('done').waitFor();
  await page.getByText('opportunities.csv').first().waitFor();
  await done();
});

test('the live stream reconnects and asks again for what it missed', async () => {
  const { page, done } = await browser.visit('/operations', {}, [/503/, /ERR_/]);
  await page.locator('[data-live="live"]').waitFor();
  server.mock.cutLive(true);
  await page.locator('[data-live="waiting"]').waitFor();
  server.mock.cutLive(false);
  const asked = () => server.mock.log.filter((entry) => entry.path === '/api/v1/queues').length;
  const earlier = asked();
  await page.locator('[data-live="live"]').waitFor();
  await eventually(asked, (count) => count > earlier, 'queues asked again');
  server.mock.emit('queues', { items: [{ ...world().queues[0], ready: 987 }], next: null });
  await page.getByRole('cell', { name: '987' }).waitFor();
  await done();
});

test('columns show the field they became, the confidence and why', async () => {
  const { page, done } = await browser.visit('/imports/imp-2017112009-7f3a');
  const row = page.getByRole('row', { name: /engage_date/ });
  assert.match(await row.innerText(), /createdDate\s+64%\s+a date never after close_date/);
  const problems = page.getByRole('region', { name: 'Problems' });
  await problems.getByLabel('Code').selectOption('duplicate_key');
  await shows(problems.locator('li'), 1);
  await problems.getByText('accounts.csv:31').waitFor();
  await done();
});

test('a dead letter shows where it failed, is replayed, and another is purged only after a question', async () => {
  const { page, done } = await browser.visit('/operations?cause=date_not_readable:77b0c2d4e1');
  const letters = page.getByRole('region', { name: 'Dead letters' });
  await eventually(() => letters.locator('.letters li').count(), (count) => count === 2, 'filtered by cause');
  await letters.getByRole('link').first().click();
  await page.getByRole('group', { name: 'Payload' }).waitFor();
  assert.equal(await page.locator('mark').innerText(), '"32/11/2017"');
  await page.getByRole('button', { name: 'Replay…' }).click();
  const told = page.getByRole('region', { name: 'What a replay would do' });
  await told.getByText('would fail again', { exact: true }).waitFor();
  assert.equal(world().letters.filter((letter) => letter.state === 'replayed').length, 0, 'a dry run changes nothing');
  await told.getByRole('button', { name: 'Replay it' }).click();
  await page.locator('.page-head').getByText('replayed').waitFor();
  await page.locator('.page-head').getByText('failed again').waitFor();
  await page.goto(`${server.url}/operations/dead-letters/dl-7`);
  await page.getByRole('button', { name: 'Purge…' }).click();
  await page.getByRole('button', { name: 'Keep' }).click();
  assert.equal(world().letters[6].state, 'dead');
  await page.getByRole('button', { name: 'Purge…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Purge' }).click();
  await eventually(() => new URL(page.url()).pathname, (path) => path === '/operations', 'back at the list');
  assert.equal(world().letters[6].state, 'purged');
  await done();
});

test('causes are grouped, and a dry run shows the difference before anything is replayed', async () => {
  const { page, done } = await browser.visit('/operations?queue=crm');
  const letters = page.getByRole('region', { name: 'Dead letters' });
  const causes = letters.getByRole('list', { name: 'Causes' });
  const first = causes.getByRole('listitem').filter({ hasText: 'is not a number' });
  await first.getByLabel('3 of them').waitFor();
  // By keyboard: choose the cause, then the dry run beside it.
  await first.getByRole('button', { name: /is not a number/ }).focus();
  await page.keyboard.press('Enter');
  await eventually(() => parameters(page).cause, (cause) => cause === 'amount_not_a_number:3a51606585', 'cause in the address');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const told = letters.getByRole('region', { name: 'What a replay would do' });
  await told.getByText('3 would be handled. Nothing has been changed.').waitFor();
  const row = told.getByRole('row', { name: /amount/ }).first();
  assert.match(await row.innerText(), /amount\s+11400.00\s+12400.00/);
  assert.ok(world().letters.every((letter) => letter.queue !== 'crm' || letter.state !== 'replayed' || letter.code !== 'amount_not_a_number'));
  await checkStructure(page);
  await told.getByRole('button', { name: 'Replay 3 messages' }).click();
  await letters.getByText('3 messages replayed').waitFor();
  await letters.getByText(/Replayed so far: .* handled/).waitFor();
  assert.ok(world().letters.filter((letter) => letter.code === 'amount_not_a_number').every((letter) => letter.state === 'replayed'));
  await done();
});

test('the quarantine says why and what to do, and what is missing is asked for again', async () => {
  const { page, done } = await browser.visit('/operations', { viewport: { width: 390, height: 844 } });
  const held = page.getByRole('region', { name: 'Quarantine' });
  await held.getByText('ended its process').waitFor();
  await held.getByText(/report it with this message/).waitFor();
  const drift = page.getByRole('region', { name: 'Reconciliation' });
  await drift.getByText('1C77BTR').waitFor();
  await shows(drift.getByRole('list', { name: 'Missing' }).getByRole('listitem'), 2);
  await checkStructure(page);
  await drift.getByRole('button', { name: 'Ask for what is missing' }).click();
  await drift.getByText('2 missing things asked for again').waitFor();
  await drift.getByText('nothing is missing').waitFor();
  await page.goto(`${server.url}/operations/quarantine/q-1`);
  await page.getByText('kept whole for its replay').waitFor();
  await page.getByRole('button', { name: 'Block this cause' }).click();
  await page.getByText('Blocked: messages of this cause').waitFor();
  await checkStructure(page);
  await done();
});

test('the theme follows the system until it is chosen, and the choice stays', async () => {
  const { page, done } = await browser.visit('/', { colorScheme: 'dark' });
  await settled(page);
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await background();
  await page.getByRole('button', { name: /^Theme/ }).click();
  const light = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await settled(page);
  assert.equal(await background(), light);
  await done();
});

test('the first stop of the keyboard skips to the content', async () => {
  const { page, done } = await browser.visit('/');
  await settled(page);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
  await done();
});

test('the first page asks for its data at once, not one answer after the other', async () => {
  const { page, done } = await browser.visit('/nowhere');
  const held = [];
  await page.route('**/api/v1/tenants?*', (route) => held.push(route));
  await page.goto(`${server.url}/?tenant=demo`);
  await settled(page);
  assert.equal(held.length, 1);
  await held[0].continue();
  await page.getByLabel('Tenant').waitFor();
  await done();
});

const kSources = { mail: 'Offer for ', call: 'Call with ', offer: 'Offer ', deck: 'Kick-off ', sheet: 'Price sheet', chat: 'Message of ', event: 'Second meeting ' };
const anyDeal = () => world().deals.find((deal) => deal.status === 'open');

for (const [name, heading] of Object.entries(kSources)) {
  for (const width of [1280, 390]) {
    test(`the viewer shows a ${name}, is well-formed and fits at ${width} px`, async () => {
      const { page, done } = await browser.visit(`/source/${anyDeal().id}-${name}`, { viewport: { width, height: 800 } });
      assert.ok((await page.locator('h1').innerText()).startsWith(heading));
      await page.getByRole('region', { name: 'Linked to' }).waitFor();
      await checkStructure(page);
      await done();
    });
  }
}

test('the timeline filters by kind, keeps that in its address and opens a call at the minute', async () => {
  const deal = anyDeal();
  const { page, done } = await browser.visit(`/deals/${deal.id}`);
  const timeline = page.getByRole('region', { name: 'Timeline' });
  await timeline.locator('[data-kind=email]').first().waitFor();
  await timeline.getByRole('button', { name: /^Calls/ }).click();
  await shows(timeline.locator('li'), 1);
  assert.equal(parameters(page).kind, 'meeting');
  await timeline.getByRole('link', { name: /^Call with/ }).click();
  const line = page.locator('li[aria-current=true]');
  await line.getByText('Vibranode').waitFor();
  assert.equal(await line.getAttribute('data-segment'), '5');
  await page.getByRole('button', { name: 'Back' }).click();
  await timeline.getByRole('button', { name: /^Calls/, pressed: true }).waitFor();
  await shows(timeline.locator('li'), 1);
  await timeline.getByRole('button', { name: 'All', exact: true }).click();
  await timeline.locator('[data-kind=change]').first().waitFor();
  await done();
});

test('people say how strong the tie is, who is not in the CRM and who never wrote', async () => {
  const { page, done } = await browser.visit(`/deals/${anyDeal().id}`);
  const people = page.getByRole('region', { name: 'People' });
  await people.getByText('not in the CRM').waitFor();
  await people.getByText('strength 78 of 100').first().waitFor();
  await shows(people.getByRole('list', { name: 'Never heard from' }).locator('li'), 1);
  await shows(people.getByRole('list', { name: 'Our side' }).locator('li'), 1);
  await done();
});

test('a mail folds what it quotes, marks the words of the evidence and leads to its conversation and attachment', async () => {
  const deal = anyDeal();
  const { page, done } = await browser.visit(`/source/${deal.id}-reply?mark=budget`);
  assert.deepEqual(await texts(page.locator('mark')), ['budget']);
  const quoted = page.locator('details', { hasText: 'Quoted text' });
  assert.equal(await quoted.getAttribute('open'), null);
  await quoted.locator('summary').click();
  await quoted.getByText('please find our offer attached').waitFor();
  await page.getByRole('region', { name: 'Asked and promised' }).getByText('Send the security questionnaire').waitFor();
  await page.getByRole('region', { name: 'Conversation' }).getByRole('link').first().click();
  await page.getByRole('link', { name: 'offer.pdf' }).click();
  await page.getByRole('region', { name: 'Page 2' }).waitFor();
  await done();
});

test('evidence in quoted text opens it', async () => {
  const { page, done } = await browser.visit(`/source/${anyDeal().id}-reply?mark=offer+attached`);
  await page.locator('details[open] mark').waitFor();
  await done();
});

test('a document opens at its page, says what was read from a picture and which slide is hidden', async () => {
  const deal = anyDeal();
  const { page, done } = await browser.visit(`/source/${deal.id}-offer?page=2`);
  await page.locator('[aria-current=true]').getByRole('heading', { name: 'Page 2' }).waitFor();
  await page.getByText('read from a picture').waitFor();
  await page.goto(`${server.url}/source/${deal.id}-deck?slide=2`);
  await page.locator('[aria-current=true]').getByText('hidden slide').waitFor();
  await page.getByText('Welcome by the plant manager.').waitFor();
  await done();
});

test('a source that does not exist shows the problem', async () => {
  const { page, done } = await browser.visit('/source/none', {}, [/404/]);
  await page.getByRole('alert').getByText('No such record').waitFor();
  await checkStructure(page);
  await done();
});

test('doubtful links are decided with the keyboard, their evidence marked', async () => {
  const mine = () => server.mock.worlds.demo.sources.links;
  const { page, done } = await browser.visit('/review');
  const rows = page.locator('main [data-row]');
  await shows(rows, 5);
  assert.ok((await texts(rows.first().locator('mark'))).includes('budget'));
  await rows.first().getByText('1 other candidate').waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.locator('[data-row="1"].selected').waitFor();
  await page.keyboard.press('k');
  await page.keyboard.press('a');
  await page.getByRole('status').getByText(/^Approved/).waitFor();
  await shows(rows, 4);
  assert.equal(mine()[0].status, 'attached');
  await page.keyboard.press('r');
  await shows(rows, 3);
  assert.equal(mine()[1].status, 'rejected');
  await page.keyboard.press('t');
  const dialog = page.getByRole('dialog', { name: 'Which deal is it about?' });
  const other = world().deals[40];
  await dialog.getByRole('searchbox').fill(other.name);
  const choice = dialog.getByRole('list', { name: 'Deals' }).getByRole('button', { name: other.name }).first();
  await choice.click();
  await shows(rows, 2);
  assert.equal(mine()[2].to.name, other.name);
  await page.getByText('Rejected', { exact: true }).click();
  await shows(rows, 1);
  assert.equal(await page.getByRole('button', { name: 'Reject' }).count(), 0);
  await done();
});

test('a refused decision says why and leaves the link where it was', async () => {
  const { page, done } = await browser.visit('/review', {}, [/409/]);
  const rows = page.locator('main [data-row]');
  await rows.first().waitFor();
  const before = await rows.count();
  await page.route('**/approve?*', (route) => route.fulfill({ status: 409, json: { title: 'Decided meanwhile', detail: 'Somebody else rejected it.', status: 409, code: 'link_decided' } }));
  await rows.first().getByRole('button', { name: 'Approve' }).click();
  await page.getByRole('alert').getByText('Somebody else rejected it.').waitFor();
  assert.equal(await rows.count(), before);
  await done();
});

test('an empty review and an empty search say what they are for', async () => {
  const { page, done } = await browser.visit('/review?tenant=empty');
  await page.getByText('Nothing to review').waitFor();
  await page.goto(`${server.url}/search?tenant=empty`);
  await page.getByText('Search everything that was said and written').waitFor();
  await page.goto(`${server.url}/search?tenant=empty&q=zzz`);
  await page.getByText('Nothing found for “zzz”').waitFor();
  await done();
});

test('the search of the header finds a spoken word and opens the call at its line', async () => {
  const { page, done } = await browser.visit('/');
  await page.getByRole('banner').getByRole('searchbox').fill('vibranode');
  await page.keyboard.press('Enter');
  await eventually(() => parameters(page).q, (q) => q === 'vibranode', 'words in the address');
  const hit = page.locator('main ol li').first();
  await hit.locator('mark').first().waitFor();
  assert.deepEqual(await texts(hit.locator('mark')), ['Vibranode']);
  await hit.getByRole('link').click();
  await page.locator('li[aria-current=true] mark').waitFor();
  await page.goBack();
  await page.getByRole('main').getByRole('searchbox').fill('price');
  await page.keyboard.press('Enter');
  await page.getByLabel('Kind').selectOption('document');
  await eventually(() => page.locator('main ol li').count(), (count) => count > 0, 'documents only');
  assert.equal(parameters(page).type, 'document');
  await done();
});

test('search and review of a server in trouble show its words', async () => {
  const { page, done } = await browser.visit('/review?tenant=broken', {}, [/503/]);
  await page.getByRole('alert').getByText('The store is busy').waitFor();
  await page.goto(`${server.url}/search?tenant=broken&q=price`);
  await page.getByRole('alert').getByText('The store is busy').waitFor();
  await done();
});
