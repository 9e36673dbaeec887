import { untrack } from 'svelte';
import { getJson } from './api';
import { live } from './live.svelte';
import { Problem } from './problem';

const kSkeletonAfterMs = 150;

export interface Resource<T> {
  /** The newest answer; stays while a newer one is on its way. */
  readonly data: T | null;
  readonly problem: Problem | null;
  readonly loading: boolean;
  /** Loading for long enough that showing it helps. */
  readonly slow: boolean;
  reload(): void;
}

interface Options {
  /** Asks again when the server says that stored data changed. */
  live?: boolean;
  /** Keeps the old answer while the address changes (a table being filtered); otherwise it is cleared. */
  keep?: boolean;
}

/** Fetches what `url` names, whenever it changes; null means nothing to fetch yet. Call while a component starts. */
export function resource<T>(url: () => string | null, options: Options = {}): Resource<T> {
  let data = $state.raw<T | null>(null);
  let problem = $state.raw<Problem | null>(null);
  let loading = $state(true);
  let slow = $state(false);
  let turn = $state(0);
  let shown: string | null = null;

  $effect(() => {
    const address = url();
    void turn;
    if (options.live) void live.version;
    if (address === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    untrack(() => {
      if (address !== shown && !options.keep) data = null;
      loading = true;
      timer = setTimeout(() => (slow = true), kSkeletonAfterMs);
      getJson<T>(address, abort.signal)
        .then((answer) => {
          data = answer;
          problem = null;
          shown = address;
        })
        .catch((error: unknown) => {
          if (abort.signal.aborted) return;
          problem = error instanceof Problem ? error : Problem.unreachable();
          if (address !== shown) data = null;
        })
        .finally(() => {
          if (abort.signal.aborted) return;
          clearTimeout(timer);
          loading = false;
          slow = false;
        });
    });
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  });

  return {
    get data() {
      return data;
    },
    get problem() {
      return problem;
    },
    get loading() {
      return loading;
    },
    get slow() {
      return slow;
    },
    reload() {
      turn += 1;
    },
  };
}
