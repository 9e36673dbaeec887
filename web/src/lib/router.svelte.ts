// The address bar as reactive state. Pages read `router.path` and `router.query` and write with `go` and `setQuery`.

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  query = $derived(new URLSearchParams(this.search));

  constructor() {
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** Where `to` leads from here: the tenant stays in the address unless `to` names another. */
  href(to: string): string {
    const target = new URL(to, location.origin);
    const tenant = this.query.get('tenant');
    if (tenant && !target.searchParams.has('tenant')) target.searchParams.set('tenant', tenant);
    return target.pathname + target.search + target.hash;
  }

  go(to: string, options: { replace?: boolean } = {}): void {
    const href = this.href(to);
    const samePath = new URL(href, location.origin).pathname === this.path;
    if (options.replace) history.replaceState(history.state, '', href);
    else history.pushState(null, '', href);
    this.#read();
    if (!samePath) scrollTo(0, 0);
  }

  /** Changes the query and nothing else; null or '' removes a name. Replaces the entry unless `push`. */
  setQuery(changes: Record<string, string | null>, options: { push?: boolean } = {}): void {
    const next = new URLSearchParams(this.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') next.delete(name);
      else next.set(name, value);
    }
    const text = next.toString();
    const href = this.path + (text ? `?${text}` : '');
    if (options.push) history.pushState(null, '', href);
    else history.replaceState(history.state, '', href);
    this.#read();
  }

  #read(): void {
    this.path = location.pathname;
    this.search = location.search;
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (/^\/(api|health|metrics)(\/|$)/.test(link.pathname)) return;
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash);
  }
}

export const router = new Router();

/** Values of the `:names` in the pattern, or null when the path does not match. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/');
  const have = path.replace(/\/+$/, '').split('/');
  if (want.length !== have.length && !(pattern === '/' && path === '/')) return null;
  const values: Record<string, string> = {};
  for (const [index, part] of want.entries()) {
    const given = have[index] ?? '';
    if (part.startsWith(':')) {
      if (given === '') return null;
      try {
        values[part.slice(1)] = decodeURIComponent(given);
      } catch {
        return null;
      }
    } else if (part !== given) return null;
  }
  return values;
}
