import type { Money } from './types';

const kLocale = typeof navigator !== 'undefined' && /^en\b/.test(navigator.language) ? navigator.language : 'en';
export const kNone = '–';
export const kNoCurrency = 'currency not stated by the source';

const numbers = new Map<string, Intl.NumberFormat>();

function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let format = numbers.get(key);
  if (!format) {
    format = new Intl.NumberFormat(kLocale, options);
    numbers.set(key, format);
  }
  return format;
}

function currencyOptions(currency: string): Intl.NumberFormatOptions {
  return /^[A-Z]{3}$/.test(currency) ? { style: 'currency', currency, currencyDisplay: 'narrowSymbol' } : {};
}

export function hasCurrency(currency: string | null | undefined): boolean {
  return !!currency && /^[A-Z]{3}$/.test(currency);
}

/** The amount as a number for drawing and comparing only; null when the source gave none. */
export function amountOf(money: Money | null | undefined): number | null {
  if (!money || money.amount === null) return null;
  const value = Number(money.amount);
  return Number.isFinite(value) ? value : null;
}

export function moneyText(money: Money | null | undefined): string {
  const value = amountOf(money);
  if (value === null || !money) return kNone;
  const digits = Number.isInteger(value) ? 0 : 2;
  return numberFormat({ ...currencyOptions(money.currency), minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** Three significant digits with k, M, B: for axes and figures read at a glance. */
export function moneyShort(money: Money | null | undefined): string {
  const value = amountOf(money);
  return value === null || !money ? kNone : shortAmount(value, money.currency);
}

export function shortAmount(value: number, currency: string): string {
  if (Math.abs(value) < 1000) return numberFormat({ ...currencyOptions(currency), maximumFractionDigits: 0 }).format(value);
  return numberFormat({ ...currencyOptions(currency), notation: 'compact', maximumSignificantDigits: 3 }).format(value);
}

export function countText(value: number | null | undefined): string {
  return value === null || value === undefined ? kNone : numberFormat({ maximumFractionDigits: 0 }).format(value);
}

export function decimalText(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined) return kNone;
  return numberFormat({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function signedText(value: number, digits = 2): string {
  const text = decimalText(Math.abs(value), digits);
  return value < 0 ? `−${text}` : `+${text}`;
}

export function percentText(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return kNone;
  return numberFormat({ style: 'percent', maximumFractionDigits: digits }).format(value);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

const dayFormat = new Intl.DateTimeFormat(kLocale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const dayShort = new Intl.DateTimeFormat(kLocale, { day: 'numeric', month: 'short', timeZone: 'UTC' });
const timeFormat = new Intl.DateTimeFormat(kLocale, { dateStyle: 'medium', timeStyle: 'short' });
const clockFormat = new Intl.DateTimeFormat(kLocale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

function parse(value: string | null | undefined): Date | null {
  if (!value) return null;
  const date = new Date(value.length === 10 ? `${value}T00:00:00Z` : value);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** A calendar day; dates have no zone, so none is applied. */
export function dayText(value: string | null | undefined): string {
  const date = parse(value?.slice(0, 10));
  return date ? dayFormat.format(date) : value || kNone;
}

export function dayTextShort(value: string | null | undefined): string {
  const date = parse(value?.slice(0, 10));
  return date ? dayShort.format(date) : value || kNone;
}

/** A moment in the reader's zone; a value at midnight UTC is shown as the day it came from. */
export function momentText(value: string | null | undefined): string {
  const date = parse(value);
  if (!date || !value) return value || kNone;
  return value.length === 10 || /T00:00:00(\.0+)?Z$/.test(value) ? dayFormat.format(date) : timeFormat.format(date);
}

export function clockText(value: string | null | undefined): string {
  const date = parse(value);
  return date ? clockFormat.format(date) : value || kNone;
}

export function timeOf(value: string | null | undefined): number | null {
  return parse(value)?.getTime() ?? null;
}

export function durationText(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return kNone;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${decimalText(seconds, seconds < 10 && seconds % 1 !== 0 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return plural(Math.round(seconds / 86_400), 'day');
}

export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${decimalText(value, unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** What a change record holds in `from` and `to`: a word, a number, a date, money, or nothing. */
export function changeValue(value: unknown, kind: string, currency: string): string {
  if (value === null || value === undefined || value === '') return 'nothing';
  if (typeof value === 'object' && 'amount' in value) return moneyText(value as Money);
  if (kind === 'amount' && /^-?\d+(\.\d+)?$/.test(String(value))) return moneyText({ amount: String(value), currency });
  if (kind === 'closeDate' || (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value))) return dayText(String(value));
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

/** 2017-Q4 → Q4 2017, 2017-11 → Nov 2017. */
export function periodText(period: string): string {
  const quarter = /^(\d{4})-Q([1-4])$/.exec(period);
  if (quarter) return `Q${quarter[2]} ${quarter[1]}`;
  const month = /^(\d{4})-(\d{2})$/.exec(period);
  if (month) {
    return new Intl.DateTimeFormat(kLocale, { month: 'short', year: 'numeric', timeZone: 'UTC' }).format(new Date(`${period}-01T00:00:00Z`));
  }
  return period;
}

/** A file as seen from the folder it was imported with. */
export function fileBelow(file: string, folders: string[]): string {
  const folder = folders.find((path) => file.startsWith(path.endsWith('/') ? path : `${path}/`));
  return folder === undefined ? file : file.slice(folder.length).replace(/^\//, '');
}

/** camelCase or snake_case field names as words. */
export function fieldWords(field: string): string {
  return field
    .replace(/[_.]/g, ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
}
