// The pages over the real program: set CASTIEL_BINARY to it. Imports examples/workspace into a temporary data folder and serves that.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkStructure, eventually, parameters, shows, startBrowser, texts } from './harness.mjs';

const binary = process.env.CASTIEL_BINARY && resolve(process.env.CASTIEL_BINARY);
const root = fileURLToPath(new URL('../../../', import.meta.url));
if (!binary) console.log('NOTICE: CASTIEL_BINARY is not set, the checks over the real program are not run');

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** Runs the program to its end; exit 3 means done with problems listed. */
function run(...words) {
  return new Promise((done, fail) => {
    execFile(binary, words, { cwd: root, timeout: 120_000, maxBuffer: 64 << 20 }, (error, out, errors) => {
      if (error && error.code !== 3) fail(new Error(`castiel ${words.join(' ')}: exit ${error.code}\n${errors}`));
      else done(out);
    });
  });
}

describe('over the real program', { skip: !binary }, () => {
  let data;
  let server;
  let said = '';
  let base;
  let browser;
  const api = async (path) => {
    const response = await fetch(`${base}/api/v1${path}`);
    assert.equal(response.status, 200, `${path} answered ${response.status}`);
    return response.json();
  };

  before(async () => {
    assert.ok(existsSync(binary), `CASTIEL_BINARY names ${binary}, which does not exist`);
    data = mkdtempSync(join(tmpdir(), 'castiel-browser-'));
    await run('import', 'examples/workspace', '--tenant', 'demo', '--data', data, '--json');
    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    server = spawn(binary, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    server.stderr.on('data', (bytes) => (said += bytes));
    server.stdout.on('data', (bytes) => (said += bytes));
    await eventually(
      async () => {
        if (server.exitCode !== null) throw new Error(`castiel serve ended with ${server.exitCode}:\n${said}`);
        return fetch(`${base}/health/ready`).then((response) => response.status, () => 0);
      },
      (status) => status === 200,
      'ready',
      60_000,
    );
    browser = await startBrowser(base);
  });

  after(async () => {
    await browser?.close();
    if (server && server.exitCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    if (data) rmSync(data, { recursive: true, force: true });
  });

  test('the overview shows the pipeline, the forecast and the changes of the import', async () => {
    const { page, done } = await browser.visit('/');
    const overview = await api('/overview?tenant=demo');
    await page.getByRole('region', { name: 'Pipeline by stage' }).waitFor();
    await shows(page.getByRole('region', { name: 'Pipeline by stage' }).locator('tbody tr'), overview.pipeline.byStage.length);
    await shows(page.getByRole('region', { name: 'Forecast', exact: true }).locator('tbody tr'), overview.forecastPeriods.length);
    await shows(page.getByRole('region', { name: 'Deals at risk' }).locator('li'), overview.atRisk.length);
    await checkStructure(page);
    await done();
  });

  test('the main navigation leads to every page', async () => {
    const { page, done } = await browser.visit('/');
    for (const name of ['Deals', 'Forecast', 'Imports', 'Operations', 'Overview']) {
      await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true }).click();
      await eventually(() => texts(page.locator('h1')), (list) => list[0] === name, `heading ${name}`);
      await page.locator('main section, main table').first().waitFor();
      assert.equal(await page.getByRole('alert').count(), 0, `${name} shows an error`);
      await checkStructure(page);
    }
    await done();
  });

  test('deals sort, filter and come back from their address', async () => {
    const { page, done } = await browser.visit('/deals?tenant=demo');
    await page.locator('[data-row="0"]').waitFor();
    for (const name of ['Deal', 'Stage', 'Amount', 'Close date', 'Probability', 'Owner', 'Risk']) {
      await page.getByRole('button', { name, exact: true }).click();
      await page.locator('th:is([aria-sort=ascending], [aria-sort=descending])', { hasText: name }).waitFor();
      await eventually(() => page.locator('[aria-busy]').getAttribute('aria-busy'), (busy) => busy === 'false', `sorted by ${name}`);
      assert.equal(await page.getByRole('alert').count(), 0, `sorting by ${name} fails`);
    }
    const first = (await api('/deals?tenant=demo&sort=-amount&limit=1')).items[0];
    const account = first.account?.name ?? first.name;
    await page.goto(`${base}/deals?tenant=demo&sort=-amount&q=${encodeURIComponent(account)}`);
    await page.locator('[data-row="0"]').waitFor();
    assert.equal(await page.getByPlaceholder('Name or account').inputValue(), account);
    const shown = await page.locator('tbody tr').evaluateAll((rows) => rows.map((row) => row.textContent));
    assert.ok(shown.every((text) => text.includes(account)), `rows without ${account}`);
    await page.getByLabel('Stage').selectOption(first.stage);
    await eventually(() => parameters(page).stage, (stage) => stage === first.stage, 'stage in the address');
    await page.reload();
    await page.locator('[data-row="0"]').waitFor();
    assert.equal(await page.getByLabel('Stage').inputValue(), first.stage);
    await done();
  });

  test('the keyboard opens a deal, which explains itself', async () => {
    const { page, done } = await browser.visit('/deals?tenant=demo');
    await page.locator('[data-row="1"]').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.locator('[data-row="1"].selected').waitFor();
    const name = await page.locator('[data-row="1"] a').innerText();
    await page.keyboard.press('Enter');
    await eventually(() => texts(page.locator('h1')), (list) => list[0] === name, 'the deal opened');
    for (const part of ['Win probability', 'Risk', 'Next steps', 'Over time', 'Timeline', 'People', 'Source']) await page.getByRole('region', { name: part, exact: true }).waitFor();
    await page.getByRole('region', { name: 'Win probability' }).locator('.amount').first().waitFor();
    assert.match(await page.getByRole('region', { name: 'Source' }).innerText(), /line \d+/);
    await checkStructure(page);
    await done();
  });

  test('a promise leads from the deal to the words of the call', async () => {
    const { page, done } = await browser.visit('/deals?tenant=demo&q=Dayton');
    await page.locator('[data-row="0"] a').first().click();
    const timeline = page.getByRole('region', { name: 'Timeline' });
    await timeline.getByRole('button', { name: /^Tasks/ }).click();
    await timeline.getByRole('link', { name: /completed security questionnaire by Friday\.$/ }).first().click();
    const spoken = page.locator('li[aria-current=true]');
    await spoken.getByText(/security questionnaire/).first().waitFor();
    assert.match(parameters(page).segment, /^\d+$/);
    assert.ok((await spoken.locator('mark').count()) > 0, 'the words are marked');
    await page.getByRole('region', { name: 'Linked to' }).getByRole('link', { name: /Dayton/ }).first().waitFor();
    await checkStructure(page);
    await done();
  });

  test('the evidence of a risk leads to the words it was read in', async () => {
    const { page, done } = await browser.visit('/deals?tenant=demo&q=Dayton');
    await page.locator('[data-row="0"] a').first().click();
    const risk = page.getByRole('region', { name: 'Risk' });
    await risk.getByRole('link', { name: /security questionnaire by Friday\."$/ }).first().click();
    await page.locator('li[aria-current=true] mark').first().waitFor();
    await page.goBack();
    await risk.getByRole('link', { name: /Where is the questionnaire/ }).first().click();
    await page.getByRole('region', { name: 'Message' }).locator('mark', { hasText: 'Where is the questionnaire?' }).waitFor();
    await done();
  });

  test('the keyboard approves a link, and the deal shows it attached', async () => {
    const all = (await api('/links?tenant=demo&status=suggested&limit=100')).items;
    const index = all.findIndex((link) => link.to.type === 'opportunity');
    const link = all[index];
    assert.ok(link, 'nothing is suggested');
    const entryOf = async () => (await api(`/deals/${link.to.id}/timeline?tenant=demo&limit=500`)).entries.find((entry) => entry.link?.id === link.id);
    assert.equal((await entryOf()).link.status, 'suggested');
    const { page, done } = await browser.visit('/review?tenant=demo');
    await page.locator('[data-row="0"]').waitFor();
    for (let step = 0; step <= index; ++step) {
      await page.keyboard.press('j');
      await page.locator(`[data-row="${step}"].selected`).waitFor();
    }
    await page.locator('.selected').getByRole('link', { name: link.to.name }).waitFor();
    await page.keyboard.press('a');
    await page.getByText(/^Approved:/).waitFor();
    assert.equal((await entryOf()).link.status, 'attached');
    await page.goto(`${base}/deals/${link.to.id}?tenant=demo&kind=${link.from.type}`);
    const entry = page.getByRole('region', { name: 'Timeline' }).locator(`li[data-kind=${link.from.type}]`, { has: page.locator(`a[href*="${link.from.id}"]`) });
    await entry.waitFor();
    assert.equal(await entry.getByText(/^suggested/).count(), 0);
    await done();
  });

  test('every deal opens whole, whatever is linked to it', async () => {
    const deals = (await api('/deals?tenant=demo&limit=100')).items;
    const { page, done } = await browser.visit('/deals?tenant=demo');
    for (const deal of deals) {
      await page.goto(`${base}/deals/${deal.id}?tenant=demo`);
      await page.getByRole('heading', { name: deal.name, exact: true }).waitFor();
      for (const part of ['Timeline', 'People']) await page.getByRole('region', { name: part, exact: true }).locator('li, .empty').first().waitFor();
      assert.equal(await page.getByRole('alert').count(), 0, deal.name);
    }
    await done();
  });

  test('the search finds a page of a document and opens it there', async () => {
    const { page, done } = await browser.visit('/?tenant=demo');
    await page.getByRole('banner').getByRole('searchbox').fill('Servicepauschale');
    await page.keyboard.press('Enter');
    const hit = page.locator('main ol li', { hasText: /page 2/ }).first();
    await hit.locator('mark').first().waitFor();
    await hit.getByRole('link').click();
    await page.locator('.part[aria-current=true] mark').first().waitFor();
    assert.equal(parameters(page).page, '2');
    await page.getByRole('heading', { name: 'Page 2' }).waitFor();
    await checkStructure(page);
    await done();
  });

  test('the first page is there within a fifth of a second', async () => {
    const times = [];
    for (let turn = 0; turn < 5; ++turn) {
      const started = performance.now();
      await (await fetch(`${base}/`)).text();
      await api('/overview?tenant=demo');
      times.push(performance.now() - started);
    }
    assert.ok(Math.min(...times) < 200, `${times.map((time) => time.toFixed(0)).join(', ')} ms`);
  });

  test('the forecast groups by owner and by team', async () => {
    const { page, done } = await browser.visit('/forecast?tenant=demo');
    await page.getByRole('region', { name: 'By period' }).locator('tbody tr').first().waitFor();
    await page.getByRole('region', { name: /by owner$/ }).waitFor();
    await page.getByText('Team', { exact: true }).click();
    await page.getByRole('region', { name: /by team$/ }).waitFor();
    assert.equal(await page.getByRole('alert').count(), 0);
    await page.getByRole('region', { name: 'Backtest' }).waitFor();
    await done();
  });

  test('an import started elsewhere appears by itself and can be followed to its columns and its trace', async () => {
    const { page, done } = await browser.visit('/imports?tenant=demo');
    await page.locator('tbody tr').first().waitFor();
    await page.locator('[data-live="live"]').waitFor();
    const earlier = await page.locator('tbody tr').count();
    const more = mkdtempSync(join(tmpdir(), 'castiel-more-'));
    writeFileSync(join(more, 'accounts.csv'), 'account_id,account,sector\nX-1,Imported Later Ltd,finance\nX-2,Imported Last GmbH,retail\n');
    await run('import', more, '--tenant', 'demo', '--data', data, '--json');
    await eventually(() => page.locator('tbody tr').count(), (count) => count === earlier + 1, 'the new import is listed');
    rmSync(more, { recursive: true });
    await page.locator('tbody tr').first().getByRole('link').click();
    await page.getByText('accounts.csv').first().waitFor();
    await page.getByRole('link', { name: /^trace/ }).click();
    await page.getByRole('region', { name: 'In order' }).locator('li').first().waitFor();
    await checkStructure(page);
    await done();
  });

  test('dead letters can be listed and shown', async () => {
    const bad = mkdtempSync(join(tmpdir(), 'castiel-bad-'));
    writeFileSync(join(bad, 'opportunities.csv'), 'opportunity_id,name,account,stage,amount,close_date\nBAD-1,Broken deal,Nobody,Proposal,"12,4O0",32/13/2017\n,,,,,\n');
    await run('import', bad, '--tenant', 'demo', '--data', data, '--json');
    rmSync(bad, { recursive: true });
    const letters = (await api('/dlq?tenant=demo')).items;
    const { page, done } = await browser.visit('/operations?tenant=demo');
    const section = page.getByRole('region', { name: 'Dead letters' });
    if (letters.length === 0) {
      await section.getByText('No dead letters').waitFor();
    } else {
      await section.locator('.letters li a').first().click();
      await page.getByRole('group', { name: 'Payload' }).waitFor();
      assert.ok((await page.getByRole('group', { name: 'Payload' }).innerText()).length > 0);
      await page.getByRole('region', { name: 'Errors' }).locator('li').first().waitFor();
    }
    await checkStructure(page);
    await done();
  });

  test('an unknown page and an unknown deal say so', async () => {
    const { page, done } = await browser.visit('/nowhere?tenant=demo', {}, [/404/]);
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await page.goto(`${base}/deals/none?tenant=demo`);
    await page.getByRole('alert').waitFor();
    await done();
  });

  test('hashed files may be kept for ever, the page itself may not', async () => {
    const html = await fetch(`${base}/`);
    assert.doesNotMatch(html.headers.get('cache-control') ?? '', /immutable/);
    const [asset] = /\/assets\/[^"]+\.js/.exec(await html.text());
    const script = await fetch(base + asset, { headers: { 'accept-encoding': 'gzip' } });
    assert.match(script.headers.get('cache-control') ?? '', /immutable/);
    assert.equal(script.headers.get('content-encoding'), 'gzip');
  });
});
