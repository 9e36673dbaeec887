// Text must be readable: WCAG 2.2 AA asks for 4.5:1, drawings for 3:1.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const css = readFileSync(new URL('../../src/app.css', import.meta.url), 'utf8');
const blocks = [...css.matchAll(/(:root[^{]*)\{([^}]*)\}/g)].map(([, selector, body]) => ({ selector: selector.trim(), tokens: Object.fromEntries([...body.matchAll(/--([a-z-]+):\s*(#[0-9a-f]{6})/g)].map(([, name, value]) => [name, value])) }));
const [light, dark, systemDark] = blocks.map((block) => block.tokens);

function luminance(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const kText = [
  ...['bg', 'surface', 'sunken', 'hover', 'accent-soft'].map((ground) => ['text', ground]),
  ...['bg', 'surface', 'sunken', 'hover', 'accent-soft'].map((ground) => ['muted', ground]),
  ...['bg', 'surface'].flatMap((ground) => ['accent', 'good', 'bad', 'warn', 'info'].map((ink) => [ink, ground])),
  ['bad', 'bad-soft'], ['warn', 'warn-soft'], ['info', 'info-soft'], ['good', 'accent-soft'], ['accent-text', 'accent'], ['muted', 'bad-soft'],
  // Marked words and the line a reader was led to.
  ['text', 'warn-soft'], ['muted', 'warn-soft'], ['accent', 'warn-soft'], ['accent', 'accent-soft'], ['info', 'accent-soft'],
];
const kDrawn = [['band-edge', 'surface'], ['won', 'surface'], ['up', 'surface'], ['down', 'surface'], ['plain', 'surface'], ['focus', 'surface'], ['focus', 'bg']];

for (const [name, tokens] of Object.entries({ light, dark })) {
  test(`${name}: text has a contrast of 4.5 and drawings of 3`, () => {
    const weak = [];
    for (const [pairs, least] of [[kText, 4.5], [kDrawn, 3]]) {
      for (const [ink, ground] of pairs) {
        const found = contrast(tokens[ink], tokens[ground]);
        if (found < least) weak.push(`${ink} on ${ground}: ${found.toFixed(2)}`);
      }
    }
    assert.deepEqual(weak, []);
  });
}

test('the dark of the system and the chosen dark are the same', () => {
  assert.deepEqual(systemDark, dark);
});
