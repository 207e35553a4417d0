import { type Clock, type RecordedEvent, TocsinError } from '@tocsin/domain';
import { pause } from '@tocsin/platform';
import { ProjectionGap } from './projection-store.js';

/** A request waits this long for its own write; the relay's usual way takes milliseconds, a failover of the append leader 2 s. */
const READ_YOUR_WRITES_MS = 10_000;
/** Pause after the checkpoint could not be read. */
const RETRY_MS = 1_000;

/** Where batches are written. */
export interface ProjectionTarget {
  checkpoint(): Promise<number>;
  project(events: readonly RecordedEvent[]): Promise<number>;
}

/**
 * Follows the log from a position on, in order and without a gap, until aborted. What `onEvents` throws goes to `onError`, and the same
 * events are handed over again.
 */
export type Follow = (options: {
  after: number;
  onEvents: (events: RecordedEvent[]) => Promise<void>;
  onCaughtUp: () => void;
  onError: (error: unknown) => void;
  signal: AbortSignal;
}) => Promise<void>;

/** Hears of what was projected, also by another replica. */
export interface ProjectionListener {
  projected(events: readonly RecordedEvent[]): void;
  /** Everything that was there at the start, or at an interruption, is projected. */
  caughtUp(): void;
}

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
}

/**
 * Keeps the projection up with the log. Every replica runs one and all of them see every event; whichever locks the checkpoint
 * first writes a batch, the others drop it. So each knows how far the projection is, which is what read-your-writes waits for.
 */
export class Projector {
  readonly #target: ProjectionTarget;
  readonly #follow: Follow;
  readonly #clock: Clock;
  readonly #onStuck: (error: unknown, after: number) => void;
  readonly #listeners = new Set<ProjectionListener>();
  readonly #stopping = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #reached = 0;
  #caughtUp = false;
  #stuck: unknown;
  #running: Promise<void> | undefined;

  constructor(options: {
    target: ProjectionTarget;
    follow: Follow;
    clock: Clock;
    /** Told of an interruption, once for as long as it is the same, with the position that was reached. It carries on by itself. */
    onStuck: (error: unknown, after: number) => void;
  }) {
    this.#target = options.target;
    this.#follow = options.follow;
    this.#clock = options.clock;
    this.#onStuck = options.onStuck;
  }

  /** Position of the last event known to be in the projection. */
  get reached(): number {
    return this.#reached;
  }

  /** Registers a listener; it hears of every batch from the next one on. */
  listen(listener: ProjectionListener): void {
    this.#listeners.add(listener);
  }

  /** Begins to follow the log. Returns at once; {@link stop} ends it. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends following; a batch under way is finished first. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Does the projection hold all that the log held when it was last looked at? */
  get isCaughtUp(): boolean {
    return this.#caughtUp;
  }

  /** For readiness: true, or why the projection does not show the present. */
  readiness(): true | string {
    if (this.#stuck !== undefined) {
      return `interrupted after position ${this.#reached}: ${reasonOf(this.#stuck)}`;
    }
    return this.#caughtUp ? true : `at position ${this.#reached}, has not caught up with the log yet`;
  }

  /**
   * Resolves when the projection holds everything up to `position`.
   * @throws TocsinError `TCN_TIMEOUT` after 10 s: what was written is recorded and will show, only later
   */
  async waitFor(position: number, timeoutMs = READ_YOUR_WRITES_MS): Promise<void> {
    if (this.#reached >= position) return;
    const since = this.#clock.monotonicMs();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { position, resolve };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => {
      const waited = Math.round(this.#clock.monotonicMs() - since);
      reject(
        new TocsinError(
          'TCN_TIMEOUT',
          `recorded at position ${position}, but after ${waited} ms the registry shows the log only up to ${this.#reached}`,
        ),
      );
    }, timeoutMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const lap = new AbortController();
      try {
        // Not only forward: whoever rebuilds the projection sets it back to the start under running replicas.
        this.#reached = await this.#target.checkpoint();
        this.#reach(this.#reached);
        await this.#follow({
          after: this.#reached,
          onEvents: (events) => this.#project(events, lap),
          onCaughtUp: () => {
            this.#caughtUp = true;
            this.#stuck = undefined;
            for (const listener of this.#listeners) listener.caughtUp();
          },
          onError: (error) => {
            if (!lap.signal.aborted) this.#fail(error);
          },
          signal: AbortSignal.any([lap.signal, this.#stopping.signal]),
        });
      } catch (error) {
        this.#fail(error);
        await pause(RETRY_MS, this.#stopping.signal);
      }
    }
  }

  /** What cannot be written is handed over again, for ever: to give up on it would lose it, to skip it would show what never was. */
  async #project(events: readonly RecordedEvent[], lap: AbortController): Promise<void> {
    try {
      this.#reach(await this.#target.project(events));
      this.#stuck = undefined;
    } catch (error) {
      if (error instanceof ProjectionGap) {
        this.#caughtUp = false;
        lap.abort();
      }
      throw error;
    }
    for (const listener of this.#listeners) listener.projected(events);
  }

  #reach(position: number): void {
    this.#reached = Math.max(this.#reached, position);
    for (const waiter of this.#waiters) if (waiter.position <= this.#reached) waiter.resolve();
  }

  #fail(error: unknown): void {
    const known = this.#stuck !== undefined && reasonOf(this.#stuck) === reasonOf(error);
    this.#stuck = error;
    if (!known) this.#onStuck(error, this.#reached);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'of no known kind';
}
