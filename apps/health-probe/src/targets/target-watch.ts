import { JETSTREAM, watchedTargetSchema, type WatchedTarget } from '@tocsin/contracts';
import type { Broker, Watch } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';

/**
 * A bucket that was lost is filled again by the registry. Until then what was watched stays watched: a lost broker must not
 * end an observation.
 */
const REFILL_GRACE_MS = 30_000;
/** First and longest wait before the bucket is tried again. */
const RETRY_MS = { first: 200, longest: 5_000 };

export interface TargetListener {
  onTarget(watched: WatchedTarget): void;
  onGone(name: string): void;
}

/** What is to be watched: the registry's bucket, as it is now and as it changes. */
export class TargetWatch {
  readonly #broker: Broker;
  readonly #logger: Logger;
  readonly #listener: TargetListener;
  readonly #known = new Map<string, number>();
  #told = new Set<string>();
  #watch: Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #opening: Promise<void> | undefined;
  #synced = false;
  #stopped = false;

  constructor(broker: Broker, logger: Logger, listener: TargetListener) {
    this.#broker = broker;
    this.#logger = logger;
    this.#listener = listener;
  }

  /** Every target that was declared at the start is known. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Begins in the background, and tries for as long as it takes. */
  start(): void {
    this.#opening = this.#open(RETRY_MS.first);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#opening;
    await this.#watch?.close();
  }

  async #open(retryMs: number): Promise<void> {
    try {
      const bucket = await this.#broker.kv(JETSTREAM.targetsBucket);
      if (this.#stopped) return;
      this.#watch = bucket.watch({
        onPut: ({ key, value }) => this.#put(key, value),
        onDelete: (key) => this.#remove(key),
        onReset: () => this.#reset(),
        onSynced: () => this.#complete(),
        onError: (error) => this.#logger.warn({ err: error }, 'the watch on targets was interrupted'),
      });
    } catch (error) {
      if (this.#stopped) return;
      this.#logger.warn({ err: error, retryMs }, 'the bucket of targets cannot be opened yet');
      this.#timer = setTimeout(() => {
        this.#opening = this.#open(Math.min(retryMs * 2, RETRY_MS.longest));
      }, retryMs);
    }
  }

  #put(key: string, value: unknown): void {
    const parsed = watchedTargetSchema.safeParse(value);
    if (!parsed.success) {
      this.#logger.error({ key, err: parsed.error }, 'a declared target is not understood; it is not watched');
      return;
    }
    const { name, revision } = parsed.data;
    this.#told.add(name);
    if (this.#known.get(name) === revision) return;
    this.#known.set(name, revision);
    this.#listener.onTarget(parsed.data);
  }

  #remove(name: string): void {
    if (this.#known.delete(name)) this.#listener.onGone(name);
  }

  #reset(): void {
    clearTimeout(this.#timer);
    this.#told = new Set();
  }

  #complete(): void {
    if (!this.#synced) {
      this.#synced = true;
      return;
    }
    this.#timer = setTimeout(() => {
      for (const name of this.#known.keys()) if (!this.#told.has(name)) this.#remove(name);
    }, REFILL_GRACE_MS);
  }
}
