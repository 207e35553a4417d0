import type { Broker, Watch } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { z } from 'zod';

/**
 * A bucket that was lost is filled again by the registry. Until then what was watched stays watched: a lost broker must not
 * end an observation.
 */
const REFILL_GRACE_MS = 30_000;
/** First and longest wait before the bucket is tried again. */
const RETRY_MS = { first: 200, longest: 5_000 };

/** Something that was declared, as it stands in a bucket under its name. */
interface Declared {
  name: string;
  /** Differs after each change. */
  revision: number;
}

export interface DeclaredWatchOptions<T extends Declared> {
  broker: Broker;
  logger: Logger;
  bucket: string;
  schema: z.ZodType<T>;
  onDeclared: (declared: T) => void;
  onGone: (name: string) => void;
  /** Everything that stood in the bucket at the start is known. */
  onSynced?: () => void;
}

/** What has been declared: a bucket, as it is now and as it changes. */
export class DeclaredWatch<T extends Declared> {
  readonly #options: DeclaredWatchOptions<T>;
  readonly #known = new Map<string, number>();
  #told = new Set<string>();
  #watch: Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #opening: Promise<void> | undefined;
  #synced = false;
  #stopped = false;

  constructor(options: DeclaredWatchOptions<T>) {
    this.#options = options;
  }

  /** Everything that was declared at the start is known. */
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
    const { broker, logger, bucket: name } = this.#options;
    try {
      const bucket = await broker.kv(name);
      if (this.#stopped) return;
      this.#watch = bucket.watch({
        onPut: ({ key, value }) => this.#put(key, value),
        onDelete: (key) => this.#remove(key),
        onReset: () => this.#reset(),
        onSynced: () => this.#complete(),
        onError: (error) => logger.warn({ err: error, bucket: name }, 'a watch was interrupted'),
      });
    } catch (error) {
      if (this.#stopped) return;
      logger.warn({ err: error, bucket: name, retryMs }, 'a bucket cannot be opened yet');
      this.#timer = setTimeout(() => {
        this.#opening = this.#open(Math.min(retryMs * 2, RETRY_MS.longest));
      }, retryMs);
    }
  }

  #put(key: string, value: unknown): void {
    const { schema, logger, bucket, onDeclared } = this.#options;
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      logger.error({ bucket, key, err: parsed.error }, 'what is declared is not understood, and not heeded');
      return;
    }
    const { name, revision } = parsed.data;
    this.#told.add(name);
    if (this.#known.get(name) === revision) return;
    this.#known.set(name, revision);
    onDeclared(parsed.data);
  }

  #remove(name: string): void {
    if (this.#known.delete(name)) this.#options.onGone(name);
  }

  #reset(): void {
    clearTimeout(this.#timer);
    this.#told = new Set();
  }

  #complete(): void {
    if (!this.#synced) {
      this.#synced = true;
      this.#options.onSynced?.();
      return;
    }
    this.#timer = setTimeout(() => {
      for (const name of this.#known.keys()) if (!this.#told.has(name)) this.#remove(name);
    }, REFILL_GRACE_MS);
  }
}
