// What the pages of sources share: names of kinds and places, addresses of the viewer, and text taken apart to be marked or folded.
import type { EntryKind, LinkEvidence, Locator, SearchHit, Segment, TextPart, TimelineEntry, TimelineItem } from './types';

export const kKinds: Record<EntryKind, { one: string; many: string }> = {
  change: { one: 'Change', many: 'Changes' },
  email: { one: 'Mail', many: 'Mail' },
  message: { one: 'Chat', many: 'Chat' },
  meeting: { one: 'Call', many: 'Calls' },
  event: { one: 'Calendar', many: 'Calendar' },
  document: { one: 'Document', many: 'Documents' },
  task: { one: 'Task', many: 'Tasks' },
};

export const isKind = (type: string | null | undefined): type is EntryKind => !!type && Object.hasOwn(kKinds, type);
const kRecords: Record<string, string> = { opportunity: 'Deal', account: 'Account', contact: 'Contact', contact_role: 'Role in a deal', product: 'Product', user: 'Our side', activity: 'Activity' };
export const kindName = (type: string | null | undefined): string => (isKind(type) ? kKinds[type].one : (kRecords[type ?? ''] ?? (type || 'Record')));

/** "page 3", "minute 4:29" … of a place in a source; empty when the whole source is meant. */
export function locatorText(locator: Locator | null | undefined): string {
  if (!locator) return '';
  if (has(locator.page)) return `page ${locator.page}`;
  if (has(locator.slide)) return `slide ${locator.slide}`;
  if (has(locator.sheet)) return `sheet ${locator.sheet}`;
  if (has(locator.minute) && Number.isInteger(locator.minute)) return `minute ${locator.minute}`;
  if (has(locator.minute)) return `at ${offsetText(locator.minute * 60)}`;
  if (has(locator.segment)) return `line ${locator.segment + 1}`;
  return '';
}

const has = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined && value !== '';

/** Seconds from the start of a call: 4:29, 1:02:09. */
export function offsetText(seconds: number | null | undefined): string {
  if (!has(seconds)) return '';
  const whole = Math.floor(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const rest = `${hours > 0 ? two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** Where the viewer shows the source, opened at the place, with the words marked. */
export function sourcePath(id: string, locator?: Locator | null, mark?: string | null): string {
  const query = new URLSearchParams();
  for (const name of ['page', 'slide', 'sheet', 'segment', 'message', 'minute'] as const) {
    const value = locator?.[name];
    if (has(value)) query.set(name, String(value));
  }
  if (mark) query.set('mark', mark);
  const text = query.toString();
  return `/source/${encodeURIComponent(id)}${text ? `?${text}` : ''}`;
}

/** The place an address of the viewer names. */
export function readLocator(query: URLSearchParams): Locator {
  const number = (name: string): number | null => {
    const value = query.get(name);
    return value !== null && value !== '' && Number.isFinite(Number(value)) ? Number(value) : null;
  };
  return { page: number('page'), slide: number('slide'), sheet: query.get('sheet'), segment: number('segment'), message: query.get('message'), minute: number('minute') };
}

/** The changes among them, for what draws fields over time. */
export function changesOf(entries: TimelineEntry[]): TimelineItem[] {
  return entries
    .filter((entry) => entry.kind === 'change')
    .map((entry) => ({
      at: entry.at, recordedAt: entry.recordedAt ?? entry.at, kind: (entry.type ?? 'other') as TimelineItem['kind'], title: entry.title, field: entry.field ?? null,
      from: entry.from ?? null, to: entry.to ?? null, origin: entry.origin ?? null, correlationId: entry.correlationId ?? null,
    }));
}

/** The text cut at every place where the phrase stands, letter case and the width of spaces aside. */
export function markPhrase(text: string, phrase: string | null | undefined): TextPart[] {
  const words = phrase?.trim().split(/\s+/).filter(Boolean) ?? [];
  if (words.length === 0 || text === '') return text === '' ? [] : [{ text, mark: false }];
  const pattern = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+'), 'giu');
  const parts: TextPart[] = [];
  let from = 0;
  for (const found of text.matchAll(pattern)) {
    if (found.index > from) parts.push({ text: text.slice(from, found.index), mark: false });
    parts.push({ text: found[0], mark: true });
    from = found.index + found[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), mark: false });
  return parts;
}

/** Text of a page whose table came out a cell a paragraph, without the empty lines between the cells. */
export function compactText(text: string): string {
  const lines = text.trim().split('\n');
  const full = lines.filter((line) => line.trim() !== '');
  const length = full.reduce((sum, line) => sum + line.length, 0);
  const kShort = 40;
  return lines.length - full.length > lines.length / 3 && length / full.length < kShort ? full.join('\n') : lines.join('\n');
}

/** A hit's text, cut at what was found. */
export function hitParts(hit: Pick<SearchHit, 'snippet' | 'highlights'>): TextPart[] {
  const letters = Array.from(hit.snippet);
  const parts: TextPart[] = [];
  let from = 0;
  for (const { start, end } of hit.highlights) {
    if (start > from) parts.push({ text: letters.slice(from, start).join(''), mark: false });
    parts.push({ text: letters.slice(start, end).join(''), mark: true });
    from = end;
  }
  if (from < letters.length) parts.push({ text: letters.slice(from).join(''), mark: false });
  return parts;
}

/** The text with the evidence marked: by offsets in code points where they fit, else by its words. */
export function markEvidence(text: string, field: string, evidence: LinkEvidence[]): TextPart[] {
  const letters = Array.from(text);
  const on = new Uint8Array(letters.length);
  for (const item of evidence) {
    if (item.field !== field || !item.text) continue;
    if (has(item.start) && has(item.end) && letters.slice(item.start, item.end).join('') === item.text) on.fill(1, item.start, item.end);
    else {
      const wanted = Array.from(item.text.toLowerCase());
      const place = letters.findIndex((_, at) => wanted.every((letter, step) => letters[at + step]?.toLowerCase() === letter));
      if (place >= 0) on.fill(1, place, place + wanted.length);
    }
  }
  const parts: TextPart[] = [];
  for (const [index, letter] of letters.entries()) {
    const mark = on[index] === 1;
    const last = parts[parts.length - 1];
    if (last && last.mark === mark) last.text += letter;
    else parts.push({ text: letter, mark });
  }
  return parts;
}

/** The parts with what is far from any mark left out; without a mark the beginning. Lengths in UTF-16 units. */
export function excerpt(parts: TextPart[], around: number): TextPart[] {
  const marks = parts.some((part) => part.mark);
  return parts.map((part, index) => {
    if (part.mark || part.text.length <= 2 * around) return part;
    const before = marks && index > 0 ? part.text.slice(0, around) : '';
    const after = marks && index < parts.length - 1 ? part.text.slice(-around) : '';
    if (!marks) return { ...part, text: `${part.text.slice(0, 2 * around)}…` };
    return { ...part, text: `${before}${before ? ' … ' : '… '}${after}` };
  });
}

export interface Share {
  name: string;
  /** Seconds. */
  talk: number;
  share: number;
}

/** Who spoke for how long, most first; without times every word counts a fixed while. */
export function sharesOf(segments: Segment[]): Share[] {
  const kSecondsAWord = 0.4;
  const talk = new Map<string, number>();
  for (const segment of segments) {
    const timed = has(segment.startTime) && has(segment.endTime) && segment.endTime > segment.startTime;
    const seconds = timed ? segment.endTime! - segment.startTime! : segment.text.split(/\s+/).length * kSecondsAWord;
    const name = segment.speaker || 'Unknown';
    talk.set(name, (talk.get(name) ?? 0) + seconds);
  }
  const total = [...talk.values()].reduce((sum, seconds) => sum + seconds, 0);
  return [...talk.entries()].map(([name, seconds]) => ({ name, talk: seconds, share: total > 0 ? seconds / total : 0 })).sort((a, b) => b.talk - a.talk);
}

/** The segment an address means: by its number, or the last that began by the minute. */
export function segmentAt(segments: Segment[], locator: Locator): number | null {
  if (has(locator.segment)) return segments.some((segment) => segment.index === locator.segment) ? locator.segment : null;
  if (!has(locator.minute)) return null;
  const seconds = locator.minute * 60;
  let found: number | null = null;
  for (const segment of segments) if ((segment.startTime ?? Infinity) <= seconds + 0.5) found = segment.index;
  return found ?? segments[0]?.index ?? null;
}
