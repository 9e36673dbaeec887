import { makeSources } from './sources.mjs';

// A made-up sales organisation for development and for states that are hard to produce. Always the same numbers.

function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

const kDay = 86_400_000;
const kAsOf = Date.UTC(2017, 10, 20);
const day = (at) => new Date(at).toISOString().slice(0, 10);
const moment = (at) => new Date(at).toISOString().replace('.000', '');

const kStages = ['Prospecting', 'Qualified', 'Engaging', 'Proposal', 'Negotiation'];
const kStageOdds = [0.12, 0.24, 0.41, 0.58, 0.74];
const kOwners = ['Anna Snelling', 'Darcel Schlecht', 'Kary Hendrixson', 'Moses Frase', 'Vicki Laflamme', 'Zane Levy', 'Rosalina Dieter', 'Cassey Cress'];
const kTeams = { 'Anna Snelling': 'Central', 'Darcel Schlecht': 'Central', 'Kary Hendrixson': 'West', 'Moses Frase': 'Central', 'Vicki Laflamme': 'West', 'Zane Levy': 'East', 'Rosalina Dieter': 'East', 'Cassey Cress': 'East' };
const kAccounts = ['Halden Rail', 'Northwind Foundry', 'Brightwater Clinics', 'Orbis Freight', 'Lumen & Vale', 'Cardamom Foods', 'Pellworm Energy', 'Atlas Ceramics', 'Ridgeline Bank', 'Quillon Press', 'Sable Outdoor', 'Tessera Labs', 'Umbra Hotels', 'Verdant Paper', 'Wexford Mutual'];
const kProducts = ['plant analytics', 'fleet licences', 'renewal 2018', 'claims automation', 'shop-floor pilot', 'warehouse roll-out', 'treasury module', 'support plan', 'data migration', 'EMEA expansion'];
const kFirst = ['Ines', 'Tomas', 'Priya', 'Hugo', 'Mei', 'Lars', 'Fatou', 'Jonas', 'Clara', 'Ravi'];
const kLast = ['Holm', 'Okafor', 'Marchetti', 'Lindqvist', 'Duarte', 'Nakamura', 'Weiss', 'Abara'];

const pick = (random, list) => list[Math.floor(random() * list.length)];
const id = (number) => `0b6f${(number * 2654435761 % 4294967296).toString(16).padStart(8, '0')}`;

export function makeWorld({ tenant, currency = 'USD', deals: count = 146, seed = 7 }) {
  const random = generator(seed);
  const money = (value) => ({ amount: value === null ? null : value.toFixed(2), currency });
  const correlation = 'imp-2017112009-7f3a';

  const deals = [];
  for (let index = 0; index < count; index += 1) {
    const account = pick(random, kAccounts);
    const owner = pick(random, kOwners);
    const created = kAsOf - Math.floor(8 + random() * 300) * kDay;
    const status = random() < 0.64 ? 'open' : random() < 0.6 ? 'won' : 'lost';
    const order = Math.floor(random() * kStages.length);
    const amount = random() < 0.04 ? null : Math.round(800 + 90_000 * random() ** 3);
    const pushes = random() < 0.35 ? Math.ceil(random() * 3) : 0;
    const close = status === 'open' ? kAsOf + Math.floor(random() * 330 - 20) * kDay : created + Math.floor((kAsOf - created) * (0.4 + random() * 0.6));
    const quiet = Math.floor(random() * 60);
    const base = kStageOdds[order];
    const value = Math.min(0.96, Math.max(0.03, base - pushes * 0.07 - quiet * 0.002 + (random() - 0.5) * 0.16));
    const spread = 0.05 + random() * 0.1;
    const score = Math.round(Math.min(97, Math.max(3, 12 + pushes * 19 + quiet * 0.6 + (close < kAsOf ? 22 : 0) + random() * 12)));
    const level = score >= 60 ? 'high' : score >= 35 ? 'medium' : 'low';
    const deal = {
      id: id(index + 1), externalId: `00Q${(100000 + index * 37).toString(36).toUpperCase()}`, integration: 'files',
      name: `${account}: ${pick(random, kProducts)}`,
      account: { id: id(500 + kAccounts.indexOf(account)), name: account },
      owner: random() < 0.03 ? null : { id: owner, name: owner }, team: kTeams[owner],
      stage: status === 'open' ? kStages[order] : status === 'won' ? 'Closed Won' : 'Closed Lost',
      stageOrder: status === 'open' ? order + 1 : 9, status, amount: money(amount),
      createdDate: day(created), closeDate: random() < 0.03 ? null : day(close),
      age: Math.round((kAsOf - created) / kDay), stageAge: Math.min(quiet + 4, Math.round((kAsOf - created) / kDay)), lastActivity: day(kAsOf - quiet * kDay),
      probability: status === 'open' ? { value, low: Math.max(0.01, value - spread), high: Math.min(0.99, value + spread), basis: 'tenant', n: 1204 } : null,
      risk: status === 'open' ? { score, level } : null,
      topFactor: status !== 'open' || score < 20 ? null : close < kAsOf ? 'Close date is in the past' : pushes > 0 ? `Close date moved later ${pushes === 1 ? 'once' : `${pushes} times`}` : quiet > 25 ? `Nothing happened for ${quiet} days` : 'Longer in its stage than most',
      nextStep: status !== 'open' || score < 20 ? null : close < kAsOf ? 'Agree on a new close date' : pushes > 0 ? 'Ask what decides the date' : 'Book the next meeting',
      hidden: { pushes, quiet, order, created, close },
    };
    deals.push(deal);
  }

  const strip = ({ hidden, ...deal }) => deal;
  const open = deals.filter((deal) => deal.status === 'open');
  const number = (deal) => Number(deal.amount.amount ?? 0);
  const weight = (list) => list.reduce((sum, deal) => sum + number(deal) * (deal.probability?.value ?? 0), 0);
  const total = (list) => list.reduce((sum, deal) => sum + number(deal), 0);

  const quarters = [['2017-Q4', '2017-10-01', '2017-12-31'], ['2018-Q1', '2018-01-01', '2018-03-31'], ['2018-Q2', '2018-04-01', '2018-06-30'], ['2018-Q3', '2018-07-01', '2018-09-30']];
  function row([period, start, end], group, mine) {
    const within = mine.filter((deal) => deal.closeDate >= start && deal.closeDate <= end);
    const won = total(within.filter((deal) => deal.status === 'won'));
    const openOnes = within.filter((deal) => deal.status === 'open');
    const weighted = weight(openOnes);
    const spread = Math.sqrt(openOnes.reduce((sum, deal) => sum + number(deal) ** 2 * deal.probability.value * (1 - deal.probability.value), 0));
    const middle = won + weighted * 0.93;
    return {
      period, start, end, group, won: money(won), open: openOnes.length, pipeline: money(total(openOnes)), weighted: money(weighted),
      p10: money(Math.max(won, middle - 1.28 * spread)), p50: money(middle), p90: money(middle + 1.28 * spread),
    };
  }
  const periods = quarters.map((quarter) => row(quarter, null, deals));

  const calibration = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95].map((middle, index) => {
    const n = [34, 88, 141, 160, 187, 212, 176, 121, 63, 22][index];
    const observed = Math.min(0.99, Math.max(0.01, middle + [0.01, -0.02, 0.03, -0.01, 0.04, -0.03, 0.02, 0.01, -0.05, -0.02][index]));
    return { from: middle - 0.05, to: middle + 0.05, predicted: middle + 0.004, observed, n };
  });
  const quality = {
    basis: 'tenant', n: 1204, won: 602, brier: 0.1912, baseRateBrier: 0.25, ece: 0.024, auc: 0.76, calibration,
    method: 'Each closed deal predicted from what was known halfway through its life, by a model that had not seen it (5 folds by time).',
    note: '',
  };

  const backtest = [];
  for (let index = 0; index < 10; index += 1) {
    const at = Date.UTC(2017, index, 1);
    const period = day(at).slice(0, 7);
    const p50 = 170_000 + 22_000 * index + 30_000 * random();
    const width = p50 * (0.2 + random() * 0.08);
    const actual = p50 + width * (index === 6 ? 1.35 : (random() - 0.5) * 1.7);
    backtest.push({
      asOf: day(at), period, p10: money(p50 - width), p50: money(p50), p90: money(p50 + width), weighted: money(p50 * (1.12 + random() * 0.2)),
      actual: money(actual), inside: actual >= p50 - width && actual <= p50 + width,
    });
  }

  const changes = [];
  for (const [index, deal] of deals.slice(0, 20).entries()) {
    const at = kAsOf - Math.floor(index / 4) * kDay + 9 * 3_600_000 - index * 600_000;
    const kind = ['closeDate', 'stage', 'amount', 'stage', 'won', 'closeDate', 'lost', 'owner', 'created', 'stage'][index % 10];
    const change = { at: moment(at), dealId: deal.id, dealName: deal.name, field: null, from: null, to: null, kind };
    if (kind === 'closeDate') Object.assign(change, { field: 'closeDate', from: day(kAsOf + 20 * kDay), to: day(kAsOf + (50 + index) * kDay) });
    if (kind === 'stage') Object.assign(change, { field: 'stage', from: kStages[index % 4], to: kStages[(index % 4) + 1] });
    if (kind === 'amount') Object.assign(change, { field: 'amount', from: '18000.00', to: `${18000 + index * 2150}.00` });
    if (kind === 'owner') Object.assign(change, { field: 'owner', from: 'Zane Levy', to: 'Cassey Cress' });
    changes.push(change);
  }

  function timeline(deal) {
    const { hidden } = deal;
    const items = [];
    const add = (at, kind, title, field, from, to) =>
      items.push({ at: moment(at), recordedAt: moment(at + 3 * 3_600_000), kind, title, field, from, to, origin: 'history export', correlationId: correlation });
    const span = kAsOf - hidden.quiet * kDay - hidden.created;
    add(hidden.created, 'created', 'Created', null, null, null);
    for (let stage = 1; stage <= hidden.order; stage += 1) add(hidden.created + (span * stage) / (hidden.order + 1), 'stage', '', 'stage', kStages[stage - 1], kStages[stage]);
    const first = hidden.close - hidden.pushes * 31 * kDay;
    for (let push = 0; push < hidden.pushes; push += 1) {
      add(hidden.created + (span * (push + 1.4)) / (hidden.pushes + 1.2), 'closeDate', 'Moved 31 days later', 'closeDate', day(first + push * 31 * kDay), day(first + (push + 1) * 31 * kDay));
    }
    if (number(deal) > 20_000) add(hidden.created + span * 0.55, 'amount', '', 'amount', (number(deal) * 1.2).toFixed(2), deal.amount.amount);
    if (deal.status !== 'open') add(hidden.close, 'status', '', 'status', 'open', deal.status);
    return items.sort((a, b) => b.at.localeCompare(a.at));
  }

  function detail(deal) {
    const { hidden } = deal;
    const evidence = (kind, text, extra = {}) => ({ kind, text, field: null, from: null, to: null, at: null, correlationId: correlation, ...extra });
    const factors = deal.probability === null ? [] : [
      { feature: 'stage', label: 'Stage', value: `${deal.stage}: ${Math.round(kStageOdds[hidden.order] * 100)}% of 312 deals that reached it were won`, effect: Math.log(kStageOdds[hidden.order] / (1 - kStageOdds[hidden.order])), evidence: [evidence('cohort', `312 closed deals of this tenant reached ${deal.stage}; ${Math.round(312 * kStageOdds[hidden.order])} were won`), evidence('field', `Stage is ${deal.stage}`, { field: 'stage', to: deal.stage, at: deal.lastActivity })] },
      { feature: 'owner', label: "Owner's record", value: `${deal.owner?.name ?? 'Nobody'} won 58 of 97 closed deals`, effect: 0.31, evidence: [evidence('cohort', '97 closed deals of the same owner, 58 won')] },
      { feature: 'pushes', label: 'Close date moves', value: hidden.pushes === 0 ? 'Never moved' : `Moved later ${hidden.pushes} times`, effect: hidden.pushes === 0 ? 0.12 : -0.34 * hidden.pushes, evidence: timeline(deal).filter((item) => item.kind === 'closeDate').map((item) => evidence('change', `Close date moved from ${item.from} to ${item.to}`, { field: 'closeDate', from: item.from, to: item.to, at: item.at })) },
      { feature: 'quiet', label: 'Time since last change', value: `${hidden.quiet} days; half of won deals never paused longer than 18`, effect: hidden.quiet > 18 ? -0.021 * hidden.quiet : 0.14, evidence: [evidence('absence', `No change recorded since ${deal.lastActivity}`)] },
      { feature: 'amount', label: 'Size of the deal', value: `${deal.amount.amount ?? 'No amount'} against a usual 4,900 for this account`, effect: -0.11, evidence: [evidence('cohort', 'Deals four times the usual size of their account were won 41% of the time, of 86')] },
    ];
    const risks = deal.risk === null ? [] : [
      ...(hidden.pushes > 0 ? [{ id: 'close_date_pushed', label: 'Close date pushed', points: 19 * hidden.pushes, detail: `The close date moved later ${hidden.pushes} times.`, evidence: factors[2].evidence }] : []),
      { id: 'no_activity', label: 'Silence', points: Math.round(hidden.quiet * 0.6), detail: `Nothing changed for ${hidden.quiet} days.`, evidence: factors[3].evidence },
      ...(hidden.close < kAsOf ? [{ id: 'overdue', label: 'Overdue', points: 22, detail: `The close date ${deal.closeDate} has passed and the deal is open.`, evidence: [evidence('field', `Close date is ${deal.closeDate}`, { field: 'closeDate', to: deal.closeDate })] }] : []),
      { id: 'champion', label: 'Two contacts known', points: -8, detail: 'Deals with two or more contacts were lost less often.', evidence: [evidence('cohort', '214 deals with two contacts: 61% won; 390 with one or none: 47%')] },
    ];
    const recommendations = deal.nextStep === null ? [] : [
      { id: 'next', title: deal.nextStep, reason: `${deal.topFactor}. Of 140 deals in the same state, those with a dated next step closed on time twice as often.`, priority: deal.risk.level, evidence: risks[0].evidence.slice(0, 2) },
      { id: 'sponsor', title: 'Name the person who signs', reason: 'No contact of this deal has a signing role.', priority: 'medium', evidence: [evidence('absence', 'None of the 2 contacts has the role decision maker')] },
    ];
    const people = [0, 1].map((place) => {
      const first = kFirst[(hidden.order * 3 + place * 4 + hidden.quiet) % kFirst.length];
      const last = kLast[(hidden.quiet + place * 3) % kLast.length];
      return { id: id(9000 + place), name: `${first} ${last}`, title: place === 0 ? 'Head of Operations' : 'Purchasing', email: `${first}.${last}@${deal.account.name.toLowerCase().replace(/[^a-z]+/g, '')}.example`, role: place === 0 ? 'champion' : null };
    });
    return {
      ...strip(deal), probability: deal.probability && { ...deal.probability, factors }, risk: deal.risk && { ...deal.risk, factors: risks }, recommendations, contacts: people,
      data: { name: deal.name, stage: deal.stage, product: deal.name.split(': ')[1], leadSource: 'Partner', forecastCategory: 'Commit' },
      source: { file: 'opportunities.csv', line: 2 + deals.indexOf(deal), integration: 'files', correlationId: correlation },
    };
  }

  const columns = (pairs) => pairs.map(([column, field, confidence, why]) => ({ column, field, confidence, why }));
  const importDone = {
    correlationId: correlation, tenant, status: 'done', startedAt: '2017-11-20T09:02:11Z', finishedAt: '2017-11-20T09:02:14Z', paths: ['examples/workspace'],
    files: { read: 4, skipped: 1, failed: 0, total: 5 }, records: { read: 8942, mapped: 8930, deadLettered: 3, quarantined: 9 },
    links: { attached: 64, suggested: 5 },
    shards: { account: { created: 85, updated: 0, unchanged: 0 }, contact: { created: 45, updated: 0, unchanged: 0 }, opportunity: { created: 8788, updated: 12, unchanged: 0 } },
    problems: [
      { file: 'opportunities.csv', line: 418, code: 'date_not_readable', message: 'Close date "32/11/2017" is not a date; the deal was kept without one.' },
      { file: 'opportunities.csv', line: 1207, code: 'reference_missing', message: 'Account "GTX" is in no accounts file; the deal was kept without an account.' },
      { file: 'opportunities.csv', line: 2290, code: 'reference_missing', message: 'Account "GTX" is in no accounts file; the deal was kept without an account.' },
      { file: 'accounts.csv', line: 31, code: 'duplicate_key', message: 'Account "Rundofase" appears twice; the later line won.' },
    ],
    problemCount: 4, bytes: { read: 1_284_302, total: 1_284_302 }, rate: 3120, remaining: null,
    understood: [
      { file: 'opportunities.csv', entity: 'opportunity', integration: 'files', records: 8800, columns: columns([['opportunity_id', 'externalId', 0.99, 'name says id; 8,800 values, all different'], ['sales_agent', 'owner', 0.93, 'name means owner; values match the agents of teams.csv'], ['account', 'account', 0.97, 'name; 95% of values are accounts of accounts.csv'], ['deal_stage', 'stage', 0.98, 'name; 4 different values, two of them closed'], ['close_value', 'amount', 0.88, 'numbers; empty while the stage is open'], ['engage_date', 'createdDate', 0.64, 'a date never after close_date'], ['product', null, 0, 'no canonical field; kept as it is']]) },
      { file: 'accounts.csv', entity: 'account', integration: 'files', records: 85, columns: columns([['account', 'name', 0.97, 'name; all values different'], ['sector', 'industry', 0.9, 'name means industry'], ['office_location', 'country', 0.82, 'values are countries']]) },
      { file: 'sales_teams.csv', entity: 'user', integration: 'files', records: 35, columns: columns([['sales_agent', 'name', 0.95, 'values look like names'], ['manager', 'team', 0.71, '6 different values over 35 rows']]) },
      { file: 'notes.txt', entity: null, integration: null, records: 0, columns: [] },
    ],
  };
  const importRunning = (share) => ({
    ...importDone, correlationId: 'imp-2017112010-99d1', status: share >= 1 ? 'done' : 'running', startedAt: '2017-11-20T10:15:00Z', finishedAt: share >= 1 ? '2017-11-20T10:15:09Z' : null, paths: ['exports/2017-11-20', 'exports/contacts.jsonl'],
    files: { read: Math.floor(share * 5), skipped: 0, failed: 0, total: 5 }, records: { read: Math.round(share * 52_000), mapped: Math.round(share * 51_990), deadLettered: 0, quarantined: 0 },
    links: { attached: 0, suggested: 0 },
    shards: share > 0.1 ? { opportunity: { created: Math.round(share * 200), updated: Math.round(share * 900), unchanged: Math.round(share * 50_000) } } : {},
    problems: [], problemCount: 0, bytes: { read: Math.round(share * 9_120_000), total: 9_120_000 }, rate: 5800, remaining: (1 - share) * 9, understood: share > 0.2 ? importDone.understood.slice(0, 2) : [],
  });

  const payload = (index) => JSON.stringify({ specversion: '1.0', id: `evt-${index}`, type: 'castiel.source.opportunity.page', source: 'files', tenantid: tenant, correlationid: correlation, data: { records: [{ externalId: `1C${index}BTR`, name: 'Orbis Freight: fleet licences', amount: index % 2 ? '12,4O0' : '-', closeDate: '32/11/2017', owner: { name: 'Zane Levy' } }] } });
  const letters = Array.from({ length: 7 }, (_, index) => ({
    id: `dl-${index + 1}`, tenant, queue: index < 5 ? 'crm' : 'insights', type: index < 5 ? 'castiel.source.opportunity.page' : 'castiel.deal.score', at: moment(kAsOf + 9 * 3_600_000 + index * 61_000), deliveries: 1 + (index % 3) * 2,
    code: index < 3 ? 'amount_not_a_number' : index < 5 ? 'date_not_readable' : 'state_conflict',
    message: index < 3 ? `Amount "${index % 2 ? '12,4O0' : '-'}" is not a number` : index < 5 ? 'Close date "32/11/2017" is not a date' : 'The deal changed while it was scored, five times',
    pointer: index < 3 ? '/data/records/0/amount' : index < 5 ? '/data/records/0/closeDate' : null, key: `1C${index}BTR`, correlationId: correlation, size: payload(index).length, state: 'dead',
    cause: index < 3 ? 'amount_not_a_number:3a51606585' : index < 5 ? 'date_not_readable:77b0c2d4e1' : 'state_conflict:1f00aa23cd', repeats: 1, replayOf: '', outcome: '', outcomeId: '', messageId: `evt-${index}`,
  }));
  const held = [0, 1].map((index) => ({
    ...letters[index], id: `q-${index + 1}`, state: 'held', code: index === 0 ? 'crashed' : 'key_collision', cause: index === 0 ? 'crashed:90cc01de22' : 'key_collision:2c909a0304', deliveries: 6, repeats: index === 0 ? 1 : 3,
    message: index === 0 ? 'the process ended 5 times while it handled this message' : 'opportunity 1C1BTR: other content than in opportunities.csv line 12, with the same modification time; the earlier one was kept', pointer: null,
    reason: index === 0 ? 'crashes' : 'repeats',
    fix: index === 0 ? 'Handling it ended the process: report it with this message, keep it here, and replay it after an update.' : 'The source gives one version of a record with two contents: correct it there and import it again.',
  }));
  const patternOf = (letter) => letter.message.replace(/"[^"]*"/g, '#');
  const groupsOf = (list) => Object.values(Object.groupBy ? Object.groupBy(list, (letter) => letter.cause) : list.reduce((all, letter) => ({ ...all, [letter.cause]: [...(all[letter.cause] ?? []), letter] }), {})).map((group) => ({ by: 'cause', key: group[0].cause, count: group.length, oldest: group[0].at, newest: group.at(-1).at, example: group.at(-1).id, code: group[0].code, message: group.at(-1).message, pattern: patternOf(group[0]) })).sort((a, b) => b.count - a.count);
  // What a replay would do: amounts can be read today, dates cannot, the rest only says something.
  const rehearse = (letter) => {
    const told = { id: letter.id, tenant, queue: letter.queue, type: letter.type, key: letter.key, cause: letter.cause, code: letter.code, correlationId: correlation, would: 'effect', summary: '0 created, 1 updated, 0 deleted, 0 unchanged', shards: [], moreShards: 0, events: [], errors: [], after: null };
    if (!['dead', 'held'].includes(letter.state)) return { ...told, would: 'already', summary: `${letter.id} is ${letter.state} already` };
    if (letter.code === 'amount_not_a_number') {
      return { ...told, shards: [{ id: 's-1', type: 'opportunity', integration: 'files', externalId: letter.key, name: 'Orbis Freight: fleet licences', effect: 'updated', fields: [{ field: 'amount', before: '11400.00', after: '12400.00' }, { field: 'stage', before: 'Engaging', after: 'Proposal' }, { field: 'probability', before: '40', after: null }], moreFields: 0 }], events: [{ type: 'shard.updated', records: 1 }, { type: 'opportunity.updated', records: 1 }] };
    }
    if (letter.code === 'state_conflict') return { ...told, summary: '1 of 1 deals changed their scores, 0 new recommendations', events: [{ type: 'risk.evaluated', records: 1 }] };
    return { ...told, would: 'fails', summary: '', errors: [{ code: letter.code, message: letter.message, pointer: letter.pointer ?? '', key: letter.key }] };
  };
  const reconciliation = {
    tenant, since: moment(kAsOf - 30 * 86_400_000), at: moment(kAsOf + 10 * 3_600_000), drift: 2, waiting: 14, repair: false, republished: 0, refetched: 0, impossible: 0, truncated: false,
    integrations: [{ integration: 'files', published: 8942, mapped: 8935, deadLettered: 7, quarantined: 2, stored: 8930, toEvaluate: 2089, evaluated: 2088, missing: 2 }],
    missing: [
      { kind: 'insight', id: 's-77', type: 'opportunity', integration: 'files', key: '1C77BTR', name: '', queue: 'insights', correlationId: correlation, detail: 'stored, and no insight came of it', repair: '' },
      { kind: 'message', id: 'evt-912', type: 'castiel.source.opportunity.page', integration: 'files', key: '', name: '', queue: 'crm', correlationId: correlation, detail: 'published for 200 records, neither handled nor waiting', repair: '' },
    ],
  };
  const letterDetail = (letter) => {
    const index = letters.includes(letter) ? letters.indexOf(letter) : held.indexOf(letter);
    return { ...letter, payload: payload(index), errors: Array.from({ length: letter.deliveries }, (_, attempt) => ({ at: moment(kAsOf + 9 * 3_600_000 + index * 61_000 - (letter.deliveries - attempt) * 9000), code: letter.code, message: letter.message })) };
  };

  const queues = [
    { name: 'crm', ready: 412, claimed: 64, delayed: 12, parked: 3, deadLetters: 5, oldestSeconds: 41, consumers: 2, ratePerSecond: 5803 },
    { name: 'linking', ready: 96, claimed: 32, delayed: 0, parked: 0, deadLetters: 0, oldestSeconds: 4.2, consumers: 1, ratePerSecond: 2120 },
    { name: 'search', ready: 0, claimed: 0, delayed: 0, parked: 0, deadLetters: 0, oldestSeconds: null, consumers: 1, ratePerSecond: 0 },
    { name: 'insights', ready: 7, claimed: 1, delayed: 2, parked: 0, deadLetters: 2, oldestSeconds: 12, consumers: 1, ratePerSecond: 8.5 },
  ];

  const trace = {
    correlationId: correlation,
    items: [
      ['files', 'event', 'castiel.import.started', 'Import of examples/workspace, 5 files', 1], ['files', 'event', 'castiel.source.account.page', 'Pages of accounts', 1], ['files', 'event', 'castiel.source.opportunity.page', 'Pages of opportunities', 44],
      ['crm', 'retry', 'castiel.source.opportunity.page', 'Waited for an account of the same import', 2], ['crm', 'shard', 'account', 'Accounts stored', 85], ['crm', 'shard', 'opportunity', 'Opportunities stored', 8788],
      ['crm', 'dead_letter', 'castiel.source.opportunity.page', 'Amount "-" is not a number', 1], ['linking', 'event', 'castiel.entity.linked', 'Deals linked to accounts and contacts', 2089], ['insights', 'event', 'castiel.deal.score', 'Deals to score', 2089], ['insights', 'insight', 'probability', 'Deals scored', 2089],
    ].map(([stage, kind, type, text, amount], index) => ({ at: moment(Date.UTC(2017, 10, 20, 9, 2, 11 + Math.floor(index / 3))), stage, kind, type, id: `t-${index}`, text, count: amount })),
    ledger: [
      { stage: 'files', in: 5, out: 8942, effects: 8942, unchanged: 0, dead: 0, parked: 0 }, { stage: 'crm', in: 8942, out: 8930, effects: 8918, unchanged: 12, dead: 3, parked: 0 },
      { stage: 'linking', in: 8930, out: 2089, effects: 2089, unchanged: 6841, dead: 0, parked: 0 }, { stage: 'insights', in: 2089, out: 2089, effects: 2089, unchanged: 0, dead: 0, parked: 0 },
    ],
  };

  const won = deals.filter((deal) => deal.status === 'won');
  const lost = deals.filter((deal) => deal.status === 'lost');
  const overview = {
    tenant, asOf: '2017-11-20', asOfReason: 'newest_change', currency,
    pipeline: {
      open: open.length, amount: money(total(open)), weighted: money(weight(open)),
      byStage: kStages.map((stage, index) => {
        const mine = open.filter((deal) => deal.stage === stage);
        return { stage, order: index + 1, count: mine.length, amount: money(total(mine)), weighted: money(weight(mine)) };
      }),
    },
    forecast: periods[0], forecastPeriods: periods, won: { count: won.length, amount: money(total(won)), winRate: won.length / (won.length + lost.length) },
    atRisk: [...open].sort((a, b) => b.risk.score * number(b) - a.risk.score * number(a)).slice(0, 5).map(strip), changes, quality,
    system: { status: 'ok', queued: 618, deadLetters: letters.length, lastImport: { correlationId: correlation, finishedAt: importDone.finishedAt, records: 8942 } },
  };

  const sources = makeSources(deals, { asOf: kAsOf, tenant, detail });
  // Changes and everything else in one list, newest first.
  const entries = (deal) =>
    [...timeline(deal).map(({ kind, ...change }) => ({ ...change, kind: 'change', type: kind, text: null, people: [], shardId: null, locator: null, link: null })), ...sources.of(deal).entries].sort((a, b) => b.at.localeCompare(a.at));

  return { tenant, currency, deals, strip, sources, entries, detail, timeline, periods, quarters, row, quality, backtest, overview, importDone, importRunning, letters, held, groupsOf, rehearse, reconciliation, letterDetail, queues, trace, shards: { opportunity: 8800, account: 85, contact: 45 } };
}

export function emptyOverview(tenant) {
  const none = { amount: '0.00', currency: 'unknown' };
  return {
    tenant, asOf: '2026-01-05T10:00:00Z', asOfReason: 'now', currency: 'unknown', pipeline: { open: 0, amount: none, weighted: none, byStage: [] }, forecast: null, forecastPeriods: [],
    won: { count: 0, amount: none, winRate: null }, atRisk: [], changes: [],
    quality: { basis: 'prior', n: 0, won: 0, brier: null, baseRateBrier: null, ece: null, auc: null, calibration: [], method: '', note: 'No closed deals yet: the model is not measured on this tenant.' },
    system: { status: 'ok', queued: 0, deadLetters: 0, lastImport: null },
  };
}
