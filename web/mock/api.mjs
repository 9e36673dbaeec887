// The HTTP contract over the made-up world. Tenants: demo (USD), plain (no currency), empty, broken (every answer an error), slow.
import { emptyOverview, makeWorld } from './fixture.mjs';

const kTenants = ['demo', 'plain', 'empty', 'broken', 'slow'];

export function createMock({ tenants = kTenants, slowMs = 1500, autoplay = false } = {}) {
  const worlds = { demo: makeWorld({ tenant: 'demo' }), plain: makeWorld({ tenant: 'plain', currency: 'unknown', deals: 60, seed: 11 }), slow: makeWorld({ tenant: 'slow', deals: 20, seed: 3 }) };
  const streams = new Set();
  const imports = { demo: [worlds.demo.importDone], plain: [worlds.plain.importDone], slow: [], empty: [] };
  const log = [];
  let liveRefused = false;

  function json(response, status, body) {
    response.writeHead(status, { 'content-type': status >= 400 ? 'application/problem+json' : 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
  }
  const problem = (response, status, title, detail, code) => json(response, status, { type: `https://castiel.example/problems/${code}`, title, status, detail, code, instance: '' });
  const page = (items) => ({ items, next: null });
  function slice(list, query, name) {
    const limit = Math.min(500, Number(query.get('limit') ?? 50));
    const from = Number(query.get('cursor') ?? 0);
    return { [name]: list.slice(from, from + limit), next: from + limit < list.length ? String(from + limit) : null };
  }
  async function bodyOf(request) {
    let text = '';
    for await (const bytes of request) text += bytes;
    return text ? JSON.parse(text) : null;
  }

  function listDeals(world, query) {
    const text = (query.get('q') ?? '').toLowerCase();
    const status = query.get('status') ?? 'open';
    let found = world.deals.filter((deal) => {
      if (status !== 'all' && deal.status !== status) return false;
      if (query.get('owner') && deal.owner?.id !== query.get('owner')) return false;
      if (query.get('stage') && deal.stage !== query.get('stage')) return false;
      if (query.get('risk') && deal.risk?.level !== query.get('risk')) return false;
      return !text || deal.name.toLowerCase().includes(text) || deal.account.name.toLowerCase().includes(text);
    });
    const sort = query.get('sort') ?? '-risk';
    const key = sort.replace(/^-/, '');
    const values = { risk: (d) => d.risk?.score, probability: (d) => d.probability?.value, amount: (d) => (d.amount.amount === null ? null : Number(d.amount.amount)), name: (d) => d.name, closeDate: (d) => d.closeDate, stage: (d) => d.stageOrder, owner: (d) => d.owner?.name };
    const of = values[key] ?? values.risk;
    const sign = sort.startsWith('-') ? -1 : 1;
    found = [...found].sort((a, b) => {
      const [x, y] = [of(a) ?? null, of(b) ?? null];
      if (x === null || y === null) return (x === null) - (y === null) || a.id.localeCompare(b.id);
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a.id.localeCompare(b.id);
    });
    const limit = Math.min(500, Number(query.get('limit') ?? 50));
    const from = Number(query.get('cursor') ?? 0);
    return { items: found.slice(from, from + limit).map(world.strip), next: from + limit < found.length ? String(from + limit) : null };
  }

  function forecast(world, query) {
    const by = query.get('by');
    let items = world.periods;
    if (by) {
      const quarter = world.quarters.find(([name]) => name === (query.get('period') ?? world.quarters[0][0])) ?? world.quarters[0];
      const of = (deal) => (by === 'team' ? deal.team : deal.owner?.name);
      const groups = [...new Set(world.deals.map(of).filter(Boolean))].sort();
      items = groups.map((group) => world.row(quarter, group, world.deals.filter((deal) => of(deal) === group)));
    } else if (query.get('period')) items = items.filter((row) => row.period === query.get('period'));
    return { asOf: '2017-11-20', asOfReason: 'newest_change', currency: world.currency, simulations: 10_000, items, quality: world.quality };
  }

  const emptyAnswers = {
    overview: () => emptyOverview('empty'), deals: () => page([]), imports: () => page([]), dlq: (rest) => (rest === 'replays' ? { replayed: 0, effect: 0, dead: 0, pending: 0, successRate: null } : page([])), quarantine: (rest) => (rest === 'replays' ? { replayed: 0, effect: 0, dead: 0, pending: 0, successRate: null } : page([])), reconcile: () => ({ tenant: 'empty', at: null }), links: () => page([]), search: () => ({ query: 'zzz', mode: 'keyword', total: 0, items: [] }),
    forecast: (rest) => (rest ? { items: [], coverage: null, n: 0, brier: null, baseRateBrier: null, note: '' } : { asOf: '2026-01-05', asOfReason: 'now', currency: 'unknown', simulations: 0, items: [], quality: null }),
  };

  function live(request, response, tenant) {
    if (liveRefused) return problem(response, 503, 'Draining', 'The server is stopping.', 'draining');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', connection: 'keep-alive' });
    response.write('event: ping\ndata: {}\n\n');
    const stream = { response, tenant };
    streams.add(stream);
    let share = 0;
    const timer = autoplay && tenant === 'demo' ? setInterval(() => {
      share = (share + 0.02) % 1.1;
      emit('import', worlds.demo.importRunning(Math.min(1, share)));
    }, 400) : undefined;
    request.on('close', () => { clearInterval(timer); streams.delete(stream); });
    return undefined;
  }

  function emit(event, data) {
    if (event === 'import') {
      const list = (imports[data.tenant] ??= []);
      const at = list.findIndex((job) => job.correlationId === data.correlationId);
      if (at < 0) list.unshift(data);
      else list[at] = data;
    }
    for (const { response } of streams) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  function answerLetters(world, area, first, second, query, request, response) {
    const all = area === 'dlq' ? world.letters : world.held;
    const isOpen = (letter) => letter.state === 'dead' || letter.state === 'held';
    const chosen = all.filter((letter) => isOpen(letter) && (!query.get('queue') || letter.queue === query.get('queue')) && (!query.get('cause') || letter.cause === query.get('cause')));
    if (request.method === 'GET' && !first) return json(response, 200, page(chosen));
    if (first === 'groups') return json(response, 200, page(world.groupsOf(chosen)));
    if (first === 'blocked') return json(response, 200, page([]));
    if (first === 'block') return json(response, 200, { cause: query.get('cause'), blocked: true, tenants: [query.get('tenant')] });
    if (first === 'replays') {
      const of = (outcome) => all.filter((letter) => letter.state === 'replayed' && letter.outcome === outcome).length;
      return json(response, 200, { replayed: of('effect') + of('dead'), effect: of('effect'), dead: of('dead'), pending: 0, successRate: of('effect') + of('dead') === 0 ? null : of('effect') / (of('effect') + of('dead')) });
    }
    if (first === 'replay') {
      const ids = (query.get('ids') ?? '').split(',').filter(Boolean);
      const mine = ids.length > 0 ? all.filter((letter) => ids.includes(letter.id)) : chosen;
      const told = mine.map(world.rehearse);
      if (query.get('confirm') !== 'true') {
        const would = {};
        for (const one of told) would[one.would] = (would[one.would] ?? 0) + 1;
        return json(response, 200, { dryRun: true, items: told, next: null, would });
      }
      mine.forEach((letter, index) => Object.assign(letter, { state: 'replayed', outcome: told[index].would === 'effect' ? 'effect' : 'dead' }));
      return json(response, 200, { dryRun: false, replayed: mine.length, already: 0, impossible: 0, items: [], lastAt: null });
    }
    const letter = all.find((row) => row.id === first);
    if (!letter) return problem(response, 404, 'No such dead letter', `There is no dead letter "${first}".`, 'dead_letter_unknown');
    if (request.method === 'DELETE') letter.state = 'purged';
    return json(response, 200, second ? {} : world.letterDetail(letter));
  }

  function answer(request, response, url) {
    const query = url.searchParams;
    const tenant = query.get('tenant') ?? 'demo';
    const [, area, first, second] = url.pathname.replace('/api/v1', '').split('/').map(decodeURIComponent);
    log.push({ method: request.method, path: url.pathname, query: Object.fromEntries(query) });
    if (area === 'tenants') return json(response, 200, page(tenants.map((name) => ({ tenant: name, createdAt: '2017-11-20T09:00:00Z', shards: worlds[name]?.shards ?? {} }))));
    if (area === 'openapi.json') return json(response, 200, { openapi: '3.1.0', info: { title: 'Castiel', version: '0.1.0' } });
    if (area === 'live') return live(request, response, tenant);
    if (area === 'queues') return json(response, 200, page(tenant === 'empty' ? [] : worlds.demo.queues));
    if (tenant === 'broken') return problem(response, 503, 'The store is busy', 'The database is being checkpointed; try again in a moment.', 'store_busy');
    if (tenant === 'empty' && emptyAnswers[area]) return json(response, 200, emptyAnswers[area](first));
    const world = worlds[tenant];
    if (!world) return problem(response, 404, 'Unknown tenant', `There is no tenant "${tenant}".`, 'tenant_unknown');
    if (area === 'overview') return json(response, 200, { ...world.overview, system: { ...world.overview.system, deadLetters: world.letters.filter((letter) => letter.state === 'dead').length } });
    if (area === 'deals' && !first) return json(response, 200, listDeals(world, query));
    if (area === 'deals') {
      const deal = world.deals.find((row) => row.id === first);
      if (!deal) return problem(response, 404, 'No such deal', `There is no deal "${first}" in tenant "${tenant}".`, 'deal_unknown');
      if (second === 'timeline') return json(response, 200, slice(world.entries(deal), query, 'entries'));
      return json(response, 200, second === 'people' ? page(world.sources.of(deal).people) : world.detail(deal));
    }
    if (area === 'forecast' && first === 'backtest') {
      return json(response, 200, { items: world.backtest, coverage: world.backtest.filter((point) => point.inside).length / world.backtest.length, n: world.backtest.length, brier: 0.1912, baseRateBrier: 0.25, note: 'Months of 2017, predicted on their first day.' });
    }
    if (area === 'forecast') return json(response, 200, forecast(world, query));
    if (area === 'imports' && !first) return json(response, 200, page(imports[tenant] ?? []));
    if (area === 'imports') {
      const job = (imports[tenant] ?? []).find((row) => row.correlationId === first);
      return job ? json(response, 200, job) : problem(response, 404, 'No such import', `There is no import "${first}".`, 'import_unknown');
    }
    if (area === 'dlq' || area === 'quarantine') return answerLetters(world, area, first, second, query, request, response);
    if (area === 'reconcile') {
      const found = world.reconciliation;
      if (request.method === 'POST' && query.get('repair') === 'true') {
        const answered = { ...found, repair: true, missing: found.missing.map((missing) => ({ ...missing, repair: missing.kind === 'message' ? 'refetched' : 'republished' })) };
        Object.assign(found, { drift: 0, missing: [] });
        return json(response, 200, answered);
      }
      return json(response, 200, found);
    }
    if (area === 'shards') {
      const shard = world.sources.find(first ?? '');
      return shard ? json(response, 200, shard) : problem(response, 404, 'No such record', `There is no record "${first}".`, 'shard_unknown');
    }
    if (area === 'links' && !first) return json(response, 200, slice(world.sources.links.filter((link) => link.status === (query.get('status') ?? 'suggested')), query, 'items'));
    if (area === 'links') {
      const link = world.sources.links.find((one) => one.id === first);
      if (!link) return problem(response, 404, 'No such link', `There is no link "${first}".`, 'link_unknown');
      return bodyOf(request).then((body) => {
        const decided = world.sources.decide(link, second, body);
        return decided ? json(response, 200, decided) : problem(response, 400, 'Not possible', 'Name a deal the source belongs to.', 'target_unknown');
      });
    }
    if (area === 'search') return json(response, 200, world.sources.search(query.get('q') ?? '', Number(query.get('limit') ?? 50)));
    if (area === 'trace') return json(response, 200, first === world.trace.correlationId || first === 'imp-2017112010-99d1' ? { ...world.trace, correlationId: first } : { correlationId: first, items: [], ledger: [] });
    return problem(response, 404, 'No such route', url.pathname, 'route_unknown');
  }

  return {
    worlds, log, emit,
    /** Ends every live stream; with `refuse` new ones get an error until it is called with false. */
    cutLive(refuse) {
      liveRefused = refuse;
      for (const { response } of streams) response.end();
      streams.clear();
    },
    get listeners() { return streams.size; },
    /** Answers the request and returns true when it belongs to the API. */
    handle(request, response) {
      const url = new URL(request.url, 'http://localhost');
      if (url.pathname.startsWith('/health/')) { json(response, 200, { status: 'ok' }); return true; }
      if (!url.pathname.startsWith('/api/v1/')) return false;
      if (url.searchParams.get('tenant') === 'slow' && !url.pathname.endsWith('/live')) setTimeout(() => answer(request, response, url), slowMs);
      else answer(request, response, url);
      return true;
    },
  };
}
