import { randomUUID } from 'node:crypto';
import { OBSERVERS_BUCKET, observerEntrySchema, type ObserverEntry } from '@tocsin/contracts';
import type { Clock, ObserverSeat } from '@tocsin/domain';
import type { Broker, KeyValue, Watch } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';

/** Three heartbeats without a word and an observer's targets are taken over: within six seconds. */
const HEARTBEAT_MS = 2_000;
const LIFE_MS = 3 * HEARTBEAT_MS;
const RETRY_MS = 500;

export interface MembershipDeps {
  self: ObserverSeat;
  broker: Broker;
  clock: Clock;
  logger: Logger;
  /** The set of able observers has changed, or is known for the first time. */
  onChange: () => void;
}

interface Seen {
  entry: ObserverEntry;
  seenMs: number;
}

/**
 * Who observes now. Every observer lists itself in a bucket whose entries expire, and believes in the others as long as it hears
 * of them. Without a connection it hears of nobody: then nothing is concluded from the silence.
 */
export class Membership {
  readonly #deps: MembershipDeps;
  readonly #instance = randomUUID();
  readonly #seen = new Map<string, Seen>();
  #bucket: KeyValue | undefined;
  #watch: Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #connectedSinceMs: number | undefined;
  #isolated = false;
  #synced = false;
  #stopped = false;
  #told = '';
  /** Asked for at every probe, so it is kept. */
  #seats: readonly ObserverSeat[];

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
    this.#seats = [deps.self];
  }

  /** The others are known. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Observers that are alive and not isolated, this one included unless it is isolated. */
  get seats(): readonly ObserverSeat[] {
    return this.#seats;
  }

  /** Other observers that are alive, isolated or not. */
  get others(): number {
    return this.#seen.size;
  }

  start(): void {
    this.#beat();
  }

  /** Says goodbye, so that the targets move at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    await this.#watch?.close();
    if (!this.#deps.broker.connected()) return;
    await this.#bucket?.delete(this.#deps.self.id).catch((error: unknown) => {
      this.#deps.logger.debug({ err: error }, 'could not say goodbye; the entry expires by itself');
    });
  }

  /** Lists this observer as isolated, or as able again. */
  setIsolated(isolated: boolean): void {
    this.#isolated = isolated;
    this.#changed();
    clearTimeout(this.#timer);
    void this.#beating.then(() => {
      if (!this.#stopped) this.#beat();
    });
  }

  #beat(): void {
    this.#beating = this.#beatOnce().then((ok) => {
      if (this.#stopped) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#beat(), ok ? HEARTBEAT_MS : RETRY_MS);
    });
  }

  async #beatOnce(): Promise<boolean> {
    const { broker, self, logger } = this.#deps;
    this.#expire();
    if (!broker.connected()) return false;
    try {
      this.#bucket ??= await broker.kv(OBSERVERS_BUCKET, { ttlMs: LIFE_MS, storage: 'memory' });
      const entry: ObserverEntry = { ...self, instance: this.#instance, isolated: this.#isolated };
      await this.#bucket.put(self.id, entry);
      if (this.#stopped) return true;
      this.#watch ??= this.#bucket.watch({
        onPut: ({ value }) => this.#heard(value),
        onDelete: (id) => this.#left(id),
        onSynced: () => {
          this.#synced = true;
          this.#changed();
        },
        onError: (error) => logger.debug({ err: error }, 'the watch on observers was interrupted'),
      });
      return true;
    } catch (error) {
      logger.warn({ err: error }, 'this observer cannot be listed');
      return false;
    }
  }

  #heard(value: unknown): void {
    const parsed = observerEntrySchema.safeParse(value);
    if (!parsed.success) return;
    const entry = parsed.data;
    if (entry.id === this.#deps.self.id) {
      if (entry.instance !== this.#instance && this.#synced) {
        this.#deps.logger.error({ observer: entry.id }, 'another process observes under the same TOCSIN_OBSERVER_ID');
      }
      return;
    }
    this.#seen.set(entry.id, { entry, seenMs: this.#deps.clock.monotonicMs() });
    this.#changed();
  }

  #left(id: string): void {
    if (this.#seen.delete(id)) this.#changed();
  }

  /** Whoever has been silent for a whole life is gone, provided that we could have heard of it. */
  #expire(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (!this.#deps.broker.connected()) {
      this.#connectedSinceMs = undefined;
      return;
    }
    this.#connectedSinceMs ??= nowMs;
    if (nowMs - this.#connectedSinceMs < LIFE_MS) return;
    for (const [id, { seenMs }] of this.#seen) if (nowMs - seenMs > LIFE_MS) this.#seen.delete(id);
    this.#changed();
  }

  #changed(): void {
    const others = [...this.#seen.values()].filter(({ entry }) => !entry.isolated).map(({ entry }) => entry);
    this.#seats = this.#isolated ? others : [this.#deps.self, ...others];
    if (!this.#synced) return;
    const now = this.seats
      .map((seat) => `${seat.id} ${seat.site}`)
      .toSorted()
      .join();
    if (now === this.#told) return;
    this.#told = now;
    this.#deps.logger.info({ observers: this.seats.map((seat) => seat.id) }, 'the observers have changed');
    this.#deps.onChange();
  }
}
