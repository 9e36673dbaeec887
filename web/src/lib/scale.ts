// Linear scales and round ticks for the hand-drawn charts.

export interface Scale {
  (value: number): number;
  ticks: number[];
  domain: [number, number];
}

/** Maps [low, high], widened to round ticks, onto [from, to]. At least a span of one tick. */
export function linear(low: number, high: number, from: number, to: number, wanted = 4): Scale {
  const step = roundStep(Math.max(high - low, Math.abs(high) * 1e-9, 1e-9) / wanted);
  const start = Math.floor(low / step + 1e-9) * step;
  const end = Math.max(Math.ceil(high / step - 1e-9) * step, start + step);
  const ticks: number[] = [];
  for (let index = 0; start + index * step <= end + step * 1e-6; index += 1) ticks.push(start + index * step);
  const scale = (value: number) => from + ((value - start) / (end - start)) * (to - from);
  return Object.assign(scale, { ticks, domain: [start, end] as [number, number] });
}

function roundStep(raw: number): number {
  const power = 10 ** Math.floor(Math.log10(raw));
  const unit = raw / power;
  return (unit <= 1 ? 1 : unit <= 2 ? 2 : unit <= 2.5 ? 2.5 : unit <= 5 ? 5 : 10) * power;
}

/** Month or year starts inside a span of time, at most `most` of them. */
export function timeTicks(from: number, to: number, most = 6): { at: number; label: string }[] {
  const months = (to - from) / (30.44 * 86_400_000);
  const step = [1, 2, 3, 6, 12, 24].find((size) => months / size <= most) ?? 60;
  const first = new Date(from);
  const ticks: { at: number; label: string }[] = [];
  for (let index = Math.ceil((first.getUTCMonth() + 1) / step) * step; ; index += step) {
    const at = Date.UTC(first.getUTCFullYear(), index, 1);
    if (at > to) return ticks;
    const date = new Date(at);
    const year = date.getUTCMonth() === 0 || ticks.length === 0;
    const month = date.toLocaleString('en', { month: 'short', timeZone: 'UTC' });
    ticks.push({ at, label: step >= 12 ? String(date.getUTCFullYear()) : year ? `${month} ${date.getUTCFullYear()}` : month });
  }
}
