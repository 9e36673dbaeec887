// Words for what operators see of failures.
import type { Rehearsed } from './types';

export type Area = 'dlq' | 'quarantine';

export const kWould: Record<Rehearsed['would'], { text: string; tone: 'good' | 'bad' | 'warn' | 'plain' }> = {
  effect: { text: 'would be handled', tone: 'good' },
  fails: { text: 'would fail again', tone: 'bad' },
  retries: { text: 'would be tried again', tone: 'warn' },
  waits: { text: 'would wait', tone: 'warn' },
  impossible: { text: 'cannot be replayed', tone: 'plain' },
  already: { text: 'was replayed already', tone: 'plain' },
};

const kReasons: Record<string, string> = {
  tries: 'too many tries',
  age: 'failing for too long',
  crashes: 'ended its process',
  repeats: 'the same error, replay after replay',
  size: 'too large',
  blocked: 'its cause is blocked',
};

export function reasonText(reason: string): string {
  return kReasons[reason] ?? reason;
}

/** How many of a dry run a replay would put back. */
export function replayable(would: Partial<Record<Rehearsed['would'], number>>): number {
  return (would.effect ?? 0) + (would.fails ?? 0) + (would.retries ?? 0) + (would.waits ?? 0);
}

/** "3 would be handled, 1 would fail again", most first. */
export function wouldText(would: Partial<Record<Rehearsed['would'], number>>): string {
  return (Object.entries(would) as [Rehearsed['would'], number][])
    .sort((a, b) => b[1] - a[1])
    .map(([word, count]) => `${count} ${kWould[word].text}`)
    .join(', ');
}
