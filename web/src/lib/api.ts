import { Problem } from './problem';

const kBase = '/api/v1';

export type Query = Record<string, string | number | boolean | null | undefined>;

/** A path below /api/v1 with its query; empty values are left out. */
export function apiPath(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return kBase + path + (text ? `?${text}` : '');
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw Problem.unreachable();
  }
  if (!response.ok) throw await Problem.from(response);
  return response;
}

/** Reads JSON; throws a Problem, or the AbortError of the given signal. */
export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await send(url, { headers: { accept: 'application/json' }, signal: signal ?? null });
  try {
    return (await response.json()) as T;
  } catch {
    throw new Problem(response.status, 'The answer is not JSON', `${url} answered with something else.`, 'not_json');
  }
}

/** POST or DELETE; a fresh idempotency key, so that a repeated request by a proxy acts once. */
export async function act<T>(method: 'POST' | 'DELETE', url: string, body?: unknown): Promise<T | null> {
  const headers: Record<string, string> = { accept: 'application/json', 'idempotency-key': newKey() };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await send(url, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  const text = await response.text();
  return text ? (JSON.parse(text) as T) : null;
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
