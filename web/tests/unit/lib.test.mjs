import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startLoader } from './load.mjs';

let loader;
let format;
let scale;
let pointer;
let deals;
let sources;
let letters;

before(async () => {
  loader = await startLoader();
  format = await loader.load('/src/lib/format.ts');
  scale = await loader.load('/src/lib/scale.ts');
  pointer = await loader.load('/src/lib/pointer.ts');
  deals = await loader.load('/src/lib/deals_query.ts');
  sources = await loader.load('/src/lib/sources.ts');
  letters = await loader.load('/src/lib/letters.ts');
});
after(() => loader?.close());

test('money shows its currency, or a plain number when the source stated none', () => {
  assert.equal(format.moneyText({ amount: '1054.00', currency: 'USD' }), '$1,054');
  assert.equal(format.moneyText({ amount: '1054.50', currency: 'USD' }), '$1,054.50');
  assert.equal(format.moneyText({ amount: '1054.00', currency: 'unknown' }), '1,054');
  assert.equal(format.moneyText({ amount: null, currency: 'USD' }), '–');
  assert.equal(format.moneyShort({ amount: '1284302.10', currency: 'EUR' }), '€1.28M');
});

test('a date without a time stays the day it is, wherever the reader is', () => {
  assert.equal(format.dayText('2017-03-01'), 'Mar 1, 2017');
  assert.equal(format.momentText('2017-03-01T00:00:00Z'), 'Mar 1, 2017');
  assert.equal(format.dayText(null), '–');
});

test('periods and durations are words', () => {
  assert.equal(format.periodText('2017-Q4'), 'Q4 2017');
  assert.equal(format.periodText('2017-11'), 'Nov 2017');
  assert.equal(format.periodText('2017'), '2017');
  assert.equal(format.durationText(0.25), '250 ms');
  assert.equal(format.durationText(4.2), '4.2 s');
  assert.equal(format.durationText(125), '2 min 5 s');
  assert.equal(format.durationText(7260), '2 h 1 min');
});

test('change values are read by their kind', () => {
  assert.equal(format.changeValue('18000.00', 'amount', 'USD'), '$18,000');
  assert.equal(format.changeValue({ amount: '5.50', currency: 'EUR' }, 'amount', 'USD'), '€5.50');
  assert.equal(format.changeValue('2017-12-10', 'closeDate', 'USD'), 'Dec 10, 2017');
  assert.equal(format.changeValue(null, 'stage', 'USD'), 'nothing');
});

test('a scale ends on round ticks that hold the data', () => {
  const x = scale.linear(0, 381, 0, 100, 4);
  assert.deepEqual(x.ticks, [0, 100, 200, 300, 400]);
  assert.equal(x(200), 50);
  assert.ok(scale.linear(0, 0, 0, 100).ticks.length >= 2);
});

test('time ticks are month starts in order, no more than asked for', () => {
  const ticks = scale.timeTicks(Date.UTC(2017, 4, 20), Date.UTC(2018, 3, 2), 6);
  assert.ok(ticks.length >= 3 && ticks.length <= 7, String(ticks.length));
  for (const [index, tick] of ticks.entries()) {
    assert.equal(new Date(tick.at).getUTCDate(), 1);
    if (index > 0) assert.ok(tick.at > ticks[index - 1].at);
  }
});

test('a file is named from the folder it was imported with', () => {
  assert.equal(format.fileBelow('/data/exports/crm/deals.csv', ['/data/other', '/data/exports']), 'crm/deals.csv');
  assert.equal(format.fileBelow('/data/exports-2/deals.csv', ['/data/exports']), '/data/exports-2/deals.csv');
  assert.equal(format.fileBelow('/data/deals.csv', ['/data/deals.csv']), '/data/deals.csv');
});

test('a JSON pointer marks its value and leaves the rest as it was', () => {
  const payload = JSON.stringify({ data: { records: [{ 'a/b': '-', list: [1, 2] }] }, text: 'castiel-marked-value' });
  const whole = JSON.stringify(JSON.parse(payload), null, 2);
  for (const [at, hit] of Object.entries({ '/data/records/0/a~1b': '"-"', '/text': '"castiel-marked-value"' })) {
    const marked = pointer.markPointer(payload, at);
    assert.equal(marked.hit, hit);
    assert.equal(marked.before + marked.hit + marked.after, whole);
  }
  const list = pointer.markPointer(payload, '/data/records/0/list');
  assert.equal(list.before + list.hit + list.after, whole);
});

test('a pointer that leads nowhere marks nothing, and text that is not JSON is left alone', () => {
  assert.equal(pointer.markPointer('{"a":1}', '/b/c').hit, '');
  assert.equal(pointer.markPointer('{"a":null}', '/a/b').hit, '');
  assert.equal(pointer.markPointer('not json', '/a'), null);
});

test('a column sorts in its natural direction first and then turns round', () => {
  assert.equal(deals.nextSort('-risk', 'amount', 'descending'), '-amount');
  assert.equal(deals.nextSort('-amount', 'amount', 'descending'), 'amount');
  assert.equal(deals.nextSort('amount', 'name', 'ascending'), 'name');
});

const whole = (parts) => parts.map((part) => part.text).join('');
const marked = (parts) => parts.filter((part) => part.mark).map((part) => part.text);

test('a phrase is marked wherever it stands, over line breaks and in any letter case, and nothing is lost', () => {
  const text = 'The Price is high.\nThe  price\nis (still) high.';
  const parts = sources.markPhrase(text, 'price is');
  assert.equal(whole(parts), text);
  assert.deepEqual(marked(parts), ['Price is', 'price\nis']);
  assert.deepEqual(marked(sources.markPhrase('a (still) b', '(still)')), ['(still)']);
  assert.deepEqual(sources.markPhrase('abc', null), [{ text: 'abc', mark: false }]);
  assert.deepEqual(sources.markPhrase('', 'x'), []);
});

test('evidence is marked by code points where its offsets fit, else by its words', () => {
  const text = '😀 Müller wrote about the budget';
  const at = Array.from(text).join('').indexOf('budget') - 1;
  assert.deepEqual(marked(sources.markEvidence(text, 'body', [{ field: 'body', text: 'budget', start: at, end: at + 6 }])), ['budget']);
  assert.deepEqual(marked(sources.markEvidence(text, 'body', [{ field: 'body', text: 'MÜLLER', start: 90, end: 99 }])), ['Müller']);
  assert.deepEqual(marked(sources.markEvidence(text, 'body', [{ field: 'subject', text: 'budget' }])), []);
  assert.equal(whole(sources.markEvidence(text, 'body', [{ field: 'body', text: 'wrote' }])), text);
});

test('a place in a source becomes words and an address, and the address the place again', () => {
  assert.equal(sources.locatorText({ page: 3 }), 'page 3');
  assert.equal(sources.kindName('opportunity'), 'Deal');
  assert.equal(sources.kindName('email'), 'Mail');
  assert.equal(sources.locatorText({ minute: 4.5, segment: 7 }), 'at 4:30');
  assert.equal(sources.locatorText(null), '');
  assert.equal(sources.offsetText(3729), '1:02:09');
  const path = sources.sourcePath('a/b', { segment: 0, minute: 2 }, 'so & so');
  assert.equal(path, '/source/a%2Fb?segment=0&minute=2&mark=so+%26+so');
  assert.equal(sources.readLocator(new URL(path, 'http://x').searchParams).segment, 0);
  assert.equal(sources.readLocator(new URLSearchParams('page=two')).page, null);
});

test('a minute leads to the line spoken then, a number to that line, nothing to none', () => {
  const segments = [0, 10, 20].map((startTime, index) => ({ index, speaker: index % 2 ? 'B' : 'A', startTime, endTime: startTime + 10, text: 'words' }));
  assert.equal(sources.segmentAt(segments, { minute: 15 / 60 }), 1);
  assert.equal(sources.segmentAt(segments, { minute: 0 }), 0);
  assert.equal(sources.segmentAt(segments, { segment: 2 }), 2);
  assert.equal(sources.segmentAt(segments, { segment: 9 }), null);
  assert.equal(sources.segmentAt(segments, {}), null);
  assert.deepEqual(sources.sharesOf(segments).map(({ name, talk }) => [name, talk]), [['A', 20], ['B', 10]]);
  assert.ok(Math.abs(sources.sharesOf([{ index: 0, speaker: null, startTime: null, endTime: null, text: 'one two' }])[0].share - 1) < 1e-9);
});

test('the changes of a timeline are what was changed in the CRM', () => {
  const change = { at: '2026-01-02T00:00:00Z', recordedAt: '2026-01-03T00:00:00Z', kind: 'stage', title: '', field: 'stage', from: 'A', to: 'B', origin: 'history export', correlationId: 'c' };
  const { kind, ...rest } = change;
  const entry = { ...rest, kind: 'change', type: kind, text: null, people: [], shardId: null, locator: null, link: null };
  assert.deepEqual(sources.changesOf([entry, { ...entry, kind: 'email', shardId: 's' }]), [change]);
});

test('what was found is marked by its code points', () => {
  const parts = sources.hitParts({ snippet: '🙂 the price is high', highlights: [{ start: 6, end: 11 }] });
  assert.deepEqual(parts, [{ text: '🙂 the ', mark: false }, { text: 'price', mark: true }, { text: ' is high', mark: false }]);
  assert.deepEqual(sources.hitParts({ snippet: '', highlights: [] }), []);
});

test('an excerpt keeps what stands around the marks and says where it left out', () => {
  const long = 'x'.repeat(500);
  const parts = [{ text: `start ${long} near`, mark: false }, { text: 'hit', mark: true }, { text: ` by ${long} end`, mark: false }];
  assert.deepEqual(sources.excerpt(parts, 5).map((part) => part.text), ['…  near', 'hit', ' by x … ']);
  assert.deepEqual(sources.excerpt(parts, 400), parts);
  assert.equal(sources.excerpt([{ text: long, mark: false }], 5)[0].text, 'xxxxxxxxxx…');
});

test('a dry run is told in words, and what can be put back is counted', () => {
  const would = { fails: 1, effect: 3, impossible: 2 };
  assert.equal(letters.wouldText(would), '3 would be handled, 2 cannot be replayed, 1 would fail again');
  assert.equal(letters.replayable(would), 4);
  assert.equal(letters.replayable({ already: 5 }), 0);
  assert.equal(letters.reasonText('repeats'), 'the same error, replay after replay');
  assert.equal(letters.reasonText('another'), 'another');
});
