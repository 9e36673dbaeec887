// What the deals page keeps in the address, and how it asks the server for it.
import { apiPath } from './api';

export interface DealsQuery {
  q: string;
  owner: string;
  stage: string;
  status: string;
  risk: string;
  sort: string;
}

export const kDefaults: DealsQuery = { q: '', owner: '', stage: '', status: 'open', risk: '', sort: '-risk' };
export const kNames = Object.keys(kDefaults) as (keyof DealsQuery)[];

export function readDealsQuery(query: URLSearchParams): DealsQuery {
  const values = { ...kDefaults };
  for (const name of kNames) values[name] = query.get(name) ?? kDefaults[name];
  return values;
}

export function dealsPath(tenant: string, asked: DealsQuery, cursor: string | null, limit: number): string {
  return apiPath('/deals', { tenant, ...asked, limit, cursor });
}

export interface SortState {
  key: string;
  direction: 'ascending' | 'descending';
}

export function sortState(sort: string): SortState {
  return sort.startsWith('-') ? { key: sort.slice(1), direction: 'descending' } : { key: sort, direction: 'ascending' };
}

/** The next sort when a column head is pressed: its natural direction first, then the other. */
export function nextSort(current: string, key: string, natural: 'ascending' | 'descending'): string {
  const now = sortState(current);
  const direction = now.key !== key ? natural : now.direction === 'ascending' ? 'descending' : 'ascending';
  return direction === 'descending' ? `-${key}` : key;
}
