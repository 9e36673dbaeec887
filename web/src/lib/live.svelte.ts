import { apiPath } from './api';
import type { ImportJob, Page, Queue } from './types';

type State = 'off' | 'connecting' | 'live' | 'waiting';

const kSilenceMs = 60_000;
const kLongestWaitMs = 15_000;
// While an import runs everything changes all the time; pages renew themselves at most this often.
const kRenewMs = 3000;
const kSettleMs = 300;

// One event stream a tab. EventSource gives up on an HTTP error, so reconnecting is done here for every cause.
class Live {
  state = $state<State>('off');
  /** Goes up when stored data changed; resources marked live follow it. */
  version = $state(0);
  imports = $state<Record<string, ImportJob>>({});
  queues = $state<Queue[] | null>(null);

  #tenant: string | null = null;
  #source: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #settle: ReturnType<typeof setTimeout> | undefined;
  #renewed = -Infinity;
  #failures = 0;

  follow(tenant: string | null): void {
    if (tenant === this.#tenant) return;
    this.#tenant = tenant;
    this.#failures = 0;
    this.imports = {};
    this.queues = null;
    this.#close();
    this.state = 'off';
    if (tenant !== null) this.#open();
  }

  #open(): void {
    this.#close();
    this.state = 'connecting';
    const source = new EventSource(apiPath('/live', { tenant: this.#tenant }));
    this.#source = source;
    source.onopen = () => {
      // What happened while the stream was down is unknown, so ask again.
      if (this.#failures > 0) this.#changed();
      this.#failures = 0;
      this.state = 'live';
      this.#heard();
    };
    source.onerror = () => this.#again();
    const on = (name: string, act: (data: unknown) => void) =>
      source.addEventListener(name, (event) => {
        this.#heard();
        try {
          act(JSON.parse((event as MessageEvent<string>).data));
        } catch {
          // One unreadable event must not end the stream.
        }
      });
    on('import', (data) => this.#onImport(data as ImportJob));
    on('queues', (data) => (this.queues = Array.isArray(data) ? (data as Queue[]) : (data as Page<Queue>).items));
    on('changed', () => this.#changed());
    source.addEventListener('ping', () => this.#heard());
  }

  #onImport(job: ImportJob): void {
    const before = this.imports[job.correlationId];
    this.imports[job.correlationId] = job;
    if (job.status !== 'running' && before?.status !== job.status) this.#changed();
  }

  #changed(): void {
    if (this.#settle !== undefined) return;
    const wait = Math.max(kSettleMs, this.#renewed + kRenewMs - performance.now());
    this.#settle = setTimeout(() => {
      this.#settle = undefined;
      this.#renewed = performance.now();
      this.version += 1;
    }, wait);
  }

  #heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#again(), kSilenceMs);
  }

  #again(): void {
    this.#close();
    this.state = 'waiting';
    const wait = Math.min(kLongestWaitMs, 500 * 2 ** this.#failures);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#open(), wait);
  }

  #close(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = null;
  }
}

export const live = new Live();
