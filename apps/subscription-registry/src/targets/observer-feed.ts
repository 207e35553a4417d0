import { REGISTRY_EVENTS, type WatchedTarget, watchedTargetSchema } from '@tocsin/contracts';
import { isTocsinError, type RecordedEvent } from '@tocsin/domain';
import type { KeyValue, Watch } from '@tocsin/jetstream';
import { pause } from '@tocsin/platform';
import type { ProjectionListener } from '../projection/projector.js';
import type { FeedSource } from './feed-source.js';

/** Everything is compared this often, whatever was or wasn't noticed; it costs one query. */
const RECONCILE_MS = 60_000;
/** Pause after a failure, and while the projection has not caught up. */
const RETRY_MS = 1_000;
/** Names compared under one lock: long enough to be quick, short enough to let other replicas in. */
const CHUNK = 500;
/** Writes to the bucket under way at once. */
const WRITES = 32;

/** The part of the bucket this needs. */
export type TargetsBucket = Pick<KeyValue, 'put' | 'delete' | 'watch'>;
/** Where it reads what is declared. */
export type DeclaredTargets = Pick<FeedSource, 'revisions' | 'withCurrent'>;

/** What is known of an entry of the bucket. */
interface Entry {
  /** Of the bucket, for compare-and-set. */
  readonly kvRevision: number;
  /** Of the target in it; undefined if the entry cannot be read. */
  readonly revision: number | undefined;
}

const DECLARATIONS = new Set<string>([
  REGISTRY_EVENTS.targetRegistered,
  REGISTRY_EVENTS.targetUpdated,
  REGISTRY_EVENTS.targetRemoved,
]);

/**
 * Keeps the bucket that observers watch equal to the declared targets. It doesn't count on having seen every change: it holds a mirror
 * of the bucket and of nothing else, and compares. So a lost bucket, a broker that was wiped and a write that got lost all
 * mend by the same way. Replicas take turns by a lock, and each reads what is declared while it holds it, so that a slow one
 * cannot put back what another has replaced.
 */
export class ObserverFeed implements ProjectionListener {
  readonly #openBucket: () => Promise<TargetsBucket>;
  readonly #source: DeclaredTargets;
  readonly #isCaughtUp: () => boolean;
  readonly #onError: (error: unknown) => void;
  readonly #mirror = new Map<string, Entry>();
  readonly #dirty = new Set<string>();
  readonly #stopping = new AbortController();
  #everything = true;
  #mirrored = false;
  #converged = false;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(options: {
    openBucket: () => Promise<TargetsBucket>;
    source: DeclaredTargets;
    /** Whether the projection shows the present; while it doesn't, nothing is written. */
    isCaughtUp: () => boolean;
    onError: (error: unknown) => void;
  }) {
    this.#openBucket = options.openBucket;
    this.#source = options.source;
    this.#isCaughtUp = options.isCaughtUp;
    this.#onError = options.onError;
  }

  /** Begins. Returns at once; {@link stop} ends it. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends; writes under way are finished. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.resolve();
    await this.#running;
  }

  /** For readiness: true, or that observers may not see the present. */
  readiness(): true | string {
    return this.#converged ? true : 'the targets have not been brought to the observers yet';
  }

  projected(events: readonly RecordedEvent[]): void {
    for (const event of events) {
      if (DECLARATIONS.has(event.type)) this.#dirty.add(event.subject.slice('target/'.length));
    }
    if (this.#dirty.size > 0) this.#wake.resolve();
  }

  caughtUp(): void {
    this.#compareAll();
  }

  #compareAll(): void {
    this.#everything = true;
    this.#wake.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const timer = setInterval(() => this.#compareAll(), RECONCILE_MS);
    let bucket: TargetsBucket | undefined;
    let watch: Watch | undefined;
    while (!signal.aborted) {
      try {
        bucket ??= await this.#openBucket();
        watch ??= this.#watch(bucket);
        await this.#wake.promise;
        this.#wake = Promise.withResolvers<void>();
        if (!signal.aborted) await this.#converge(bucket);
      } catch (error) {
        this.#converged = false;
        this.#onError(error);
        await pause(RETRY_MS, signal);
        this.#compareAll();
      }
    }
    clearInterval(timer);
    await watch?.close();
  }

  #watch(bucket: TargetsBucket): Watch {
    return bucket.watch({
      onPut: (entry) => {
        const target = watchedTargetSchema.safeParse(entry.value);
        const revision = target.success && target.data.name === entry.key ? target.data.revision : undefined;
        this.#mirror.set(entry.key, { kvRevision: entry.revision, revision });
        this.#noticed(entry.key);
      },
      onDelete: (key) => {
        this.#mirror.delete(key);
        this.#noticed(key);
      },
      onReset: () => {
        this.#mirror.clear();
        this.#mirrored = false;
      },
      onSynced: () => {
        this.#mirrored = true;
        this.#compareAll();
      },
      onError: (error) => this.#onError(error),
    });
  }

  /** Somebody changed the bucket, perhaps this feed itself; a look at the declaration tells. */
  #noticed(key: string): void {
    if (!this.#mirrored) return;
    this.#dirty.add(key);
    this.#wake.resolve();
  }

  async #converge(bucket: TargetsBucket): Promise<void> {
    if (!this.#mirrored || !this.#isCaughtUp()) {
      if (this.#everything || this.#dirty.size > 0) this.#converged = false;
      return;
    }
    // Taken before anything is awaited: what is noticed from here on belongs to the next round.
    const all = this.#everything;
    const noticed = [...this.#dirty];
    this.#everything = false;
    this.#dirty.clear();
    const names = all ? await this.#differing() : noticed;
    for (let start = 0; start < names.length; start += CHUNK) {
      const chunk = names.slice(start, start + CHUNK);
      const done = await this.#source.withCurrent(chunk, (targets) => this.#write(bucket, chunk, targets));
      if (!done) throw new Error('the projection is being rebuilt');
    }
    if (all) this.#converged = true;
  }

  async #differing(): Promise<string[]> {
    const declared = new Map((await this.#source.revisions()).map(({ name, revision }) => [name, revision]));
    const gone = [...this.#mirror.keys()].filter((name) => !declared.has(name));
    const changed = [...declared].filter(([name, revision]) => this.#mirror.get(name)?.revision !== revision);
    return [...changed.map(([name]) => name), ...gone];
  }

  async #write(
    bucket: TargetsBucket,
    names: readonly string[],
    targets: ReadonlyMap<string, WatchedTarget>,
  ): Promise<void> {
    const left = names.values();
    const writer = async () => {
      for (const name of left) await this.#writeOne(bucket, name, targets.get(name));
    };
    await Promise.all(Array.from({ length: WRITES }, writer));
  }

  /** The mirror is left to the watch, which knows the order of things: the answer to a write may be older than what it has told since. */
  async #writeOne(bucket: TargetsBucket, name: string, target: WatchedTarget | undefined): Promise<void> {
    const entry = this.#mirror.get(name);
    if (entry?.revision === target?.revision && (entry === undefined) === (target === undefined)) return;
    try {
      if (target !== undefined) await bucket.put(name, target, { revision: entry?.kvRevision ?? 0 });
      else if (entry !== undefined) await bucket.delete(name, { revision: entry.kvRevision });
    } catch (error) {
      // The mirror was behind. What the watch tells next makes the name dirty again.
      if (!isTocsinError(error, 'TCN_PRECONDITION_FAILED')) throw error;
    }
  }
}
