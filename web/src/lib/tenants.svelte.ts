import { apiPath, getJson } from './api';
import { Problem } from './problem';
import { router } from './router.svelte';
import { recall, remember } from './storage';
import type { Page, Tenant } from './types';

// Which tenant the pages show. The address wins, then the last choice here, then the first tenant there is.
class Tenants {
  list = $state<Tenant[] | null>(null);
  problem = $state<Problem | null>(null);
  #remembered = $state(recall('tenant'));
  #fallback = $derived.by(() => {
    if (this.list === null) return this.#remembered;
    if (this.list.some((row) => row.tenant === this.#remembered)) return this.#remembered;
    return this.list[0]?.tenant ?? null;
  });
  /** null while it is not known yet, or when there is no tenant at all. */
  current = $derived(router.query.get('tenant') ?? this.#fallback);

  async load(): Promise<void> {
    try {
      const page = await getJson<Page<Tenant>>(apiPath('/tenants', { limit: 500 }));
      this.list = page.items;
      this.problem = null;
    } catch (error) {
      this.problem = error instanceof Problem ? error : Problem.unreachable();
    }
  }

  choose(tenant: string): void {
    this.#remembered = tenant;
    remember('tenant', tenant);
    router.go(`${router.path.split('/').length > 2 ? '/' + router.path.split('/')[1] : router.path}?tenant=${encodeURIComponent(tenant)}`);
  }
}

export const tenants = new Tenants();
