// Where a JSON pointer (RFC 6901) leads inside a text, to mark it there.

export interface Marked {
  before: string;
  hit: string;
  after: string;
}

/** Pretty-prints the payload and cuts it at the value the pointer names; null when it is not JSON or leads nowhere. */
export function markPointer(payload: string, pointer: string | null): Marked | null {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return null;
  }
  const whole = { before: JSON.stringify(value, null, 2), hit: '', after: '' };
  if (pointer === null || pointer === '') return whole;
  const parts = pointer.split('/').slice(1).map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
  const found = parts.reduce<unknown>((at, part) => (at !== null && typeof at === 'object' && Object.hasOwn(at, part) ? (at as Record<string, unknown>)[part] : undefined), value);
  if (found === undefined) return whole;

  // The value is swapped for a word that occurs nowhere else, so the printed text can be cut at it.
  let token = '@castiel-marked-value@';
  while (payload.includes(token)) token += '@';
  const copy = JSON.parse(payload) as unknown;
  if (parts.length === 0) return whole;
  const parent = parts.slice(0, -1).reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], copy) as Record<string, unknown>;
  parent[parts[parts.length - 1]!] = token;
  const text = JSON.stringify(copy, null, 2);
  const quoted = JSON.stringify(token);
  const at = text.indexOf(quoted);
  const depth = (text.slice(0, at).split('\n').pop() ?? '').match(/^ */)?.[0] ?? '';
  const hit = JSON.stringify(found, null, 2).replace(/\n/g, `\n${depth}`);
  return { before: text.slice(0, at), hit, after: text.slice(at + quoted.length) };
}
