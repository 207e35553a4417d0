import { CONSUMERS_BUCKET, consumerLeaseSchema, type ConsumerLease } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { Broker, EventDurables, KeyValue, KeyValueEntry } from '@tocsin/jetstream';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

export interface LeaseOptions {
  broker: Pick<Broker, 'kv' | 'connected'>;
  durables: Pick<EventDurables, 'stream' | 'whenConnected'>;
  /** Name of the durable. */
  durable: string;
  /** How long the holder may be silent before another takes its place, milliseconds. */
  leaseMs: number;
  /** Another process holds it; told once. */
  onStandby: () => void;
  /** Told of what interrupts the asking or the renewing, which go on. */
  onError: (error: unknown) => void;
  /** Ends the waiting for it. */
  signal: AbortSignal;
}

/** What a process that waits has seen, and since when it has not changed. */
interface Seen {
  lease: ConsumerLease;
  sinceMs: number;
}

/** How often a lease that somebody else has is looked at, milliseconds at most. */
const LOOK_MS = 1_000;
const RETRY_MS = 200;
/** A holder that goes waits so long for its word to arrive; otherwise the next one waits for the lease to run out. */
const FAREWELL_MS = 1_000;

/**
 * Makes one process at a time consume a durable, so that any number may be started. The lease is an entry which its holder rewrites, by
 * compare-and-set, three times before it runs out. Who waits for it measures with a clock of its own how long the entry has stood unchanged, so
 * clocks need not agree.
 *
 * The holder itself is not certain of it any more once it could not rewrite the entry for `leaseMs`: it was stopped, or the broker was
 * away. Nothing may begin then. If nobody has taken the lease meanwhile it goes on as if nothing had been.
 */
export class DurableLease {
  readonly #options: LeaseOptions;
  readonly #bucket: KeyValue;
  readonly #own: ConsumerLease;
  readonly #lost = new AbortController();
  #revision: number;
  #renewals = 0;
  #certainUntilMs: number;
  #doubted = false;
  #onResumed: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #released = false;

  private constructor(
    options: LeaseOptions,
    bucket: KeyValue,
    own: ConsumerLease,
    revision: number,
    askedAtMs: number,
  ) {
    this.#options = options;
    this.#bucket = bucket;
    this.#own = own;
    this.#revision = revision;
    this.#certainUntilMs = askedAtMs + options.leaseMs;
    this.#renewIn(options.leaseMs / 3);
  }

  /** Waits until the lease is to be had and takes it; undefined where the signal aborts first. Never rejects. */
  static async take(options: LeaseOptions): Promise<DurableLease | undefined> {
    const { durable, leaseMs, signal } = options;
    const own: ConsumerLease = { holder: randomUUID(), where: `${hostname()} ${process.pid}`, leaseMs, renewals: 0 };
    let bucket: KeyValue | undefined;
    let seen: Seen | undefined;
    let told = false;
    while (!signal.aborted) {
      try {
        if (!options.broker.connected()) seen = unchangedSinceNow(seen);
        if (!(await options.durables.whenConnected(LOOK_MS, signal))) continue;
        bucket ??= await openBucket(options);
        const entry = await bucket.get(durable);
        seen = seenNow(entry, seen);
        // Its own where it took it before, and the answer was lost.
        if (isFree(seen) || seen?.lease.holder === own.holder) {
          const askedAtMs = performance.now();
          const revision = await bucket.put(durable, own, { revision: entry?.revision ?? 0 });
          return new DurableLease(options, bucket, own, revision, askedAtMs);
        }
        if (!told) options.onStandby();
        told = true;
      } catch (error) {
        if (signal.aborted) break;
        if (!isTocsinError(error, 'TCN_PRECONDITION_FAILED')) options.onError(error);
        seen = unchangedSinceNow(seen);
      }
      await delay(Math.min(LOOK_MS, leaseMs / 5), undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  /** Aborts when another process has taken the lease. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Calls `listener` each time the lease is certain again, after {@link isCertain} had to deny it. */
  onResumed(listener: () => void): void {
    this.#onResumed = listener;
  }

  /** Is it certain that nobody else holds the lease now? Where not, the listener of {@link onResumed} is called, or {@link lost} aborts. */
  isCertain(): boolean {
    if (!this.#lost.signal.aborted && performance.now() < this.#certainUntilMs) return true;
    this.#doubted = true;
    return false;
  }

  /** Hands the lease back, so that the next one need not wait until it runs out. Never rejects. */
  async release(): Promise<void> {
    this.#released = true;
    clearTimeout(this.#timer);
    const farewell = async (): Promise<void> => {
      await this.#renewing;
      if (this.#lost.signal.aborted || !this.#options.broker.connected()) return;
      await this.#write(null);
    };
    const tooLong = new AbortController();
    // Whatever keeps the farewell from arriving, the lease runs out by itself.
    const said = farewell().catch(() => undefined);
    await Promise.race([said, delay(FAREWELL_MS, undefined, { signal: tooLong.signal }).catch(() => undefined)]);
    tooLong.abort();
  }

  #renewIn(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#renewing = this.#renew().then((renewed) => {
        if (!this.#released && !this.#lost.signal.aborted)
          this.#renewIn(renewed ? this.#options.leaseMs / 3 : RETRY_MS);
      });
    }, ms);
  }

  async #renew(): Promise<boolean> {
    const { broker, leaseMs, onError } = this.#options;
    if (!broker.connected()) return false;
    const askedAtMs = performance.now();
    try {
      await this.#write(this.#own.holder).catch(async (error: unknown) => {
        if (!isTocsinError(error, 'TCN_PRECONDITION_FAILED')) throw error;
        await this.#lookWhose();
        await this.#write(this.#own.holder);
      });
    } catch (error) {
      if (!this.#lost.signal.aborted && !isTocsinError(error, 'TCN_PRECONDITION_FAILED')) onError(error);
      return false;
    }
    this.#certainUntilMs = askedAtMs + leaseMs;
    if (this.#doubted) {
      this.#doubted = false;
      this.#onResumed?.();
    }
    return true;
  }

  /** Gives an answer that does not come up soon enough for another try: a bucket that has just lost its leader gives none. */
  async #write(holder: string | null): Promise<void> {
    const { durable, leaseMs } = this.#options;
    this.#renewals += 1;
    const lease = { ...this.#own, holder, renewals: this.#renewals };
    const written = this.#bucket.put(durable, lease, { revision: this.#revision });
    const answered = new AbortController();
    const tooLate = delay(leaseMs / 3, undefined, { signal: answered.signal }).then(() => {
      throw new TocsinError('TCN_TIMEOUT', `the lease of durable ${durable} could not be renewed in time`);
    });
    try {
      this.#revision = await Promise.race([written, tooLate]);
    } finally {
      answered.abort();
      // Whichever comes second is of no interest: a word that arrives late is found by the next one.
      for (const loser of [written, tooLate]) loser.catch(() => undefined);
    }
  }

  /**
   * The entry is not as this process left it: a word of its own arrived late, the bucket was lost, or another has taken the lease.
   * @throws TocsinError `TCN_CONFLICT` in the last case
   */
  async #lookWhose(): Promise<void> {
    const { durable } = this.#options;
    const entry = await this.#bucket.get(durable);
    const lease = leaseIn(entry);
    if (lease === undefined || lease.holder === this.#own.holder) {
      this.#revision = entry?.revision ?? 0;
      return;
    }
    const detail = `durable ${durable} is consumed by another process now (${lease.where})`;
    const lost = new TocsinError('TCN_CONFLICT', detail);
    this.#lost.abort(lost);
    throw lost;
  }
}

/** As many copies as the stream has: what keeps the order must not be lost before what is ordered. */
async function openBucket({ broker, durables }: LeaseOptions): Promise<KeyValue> {
  const stream = await durables.stream();
  if (stream === undefined) throw new TocsinError('TCN_UNAVAILABLE', 'there is no stream of events yet');
  return broker.kv(CONSUMERS_BUCKET, { replicas: stream.replicas, description: 'Who consumes which durable' });
}

/** An entry that is gone has been lost with the broker's store: its holder puts it back, if it is still there. */
function seenNow(entry: KeyValueEntry | undefined, before: Seen | undefined): Seen | undefined {
  const lease = leaseIn(entry);
  // Not by its revision, which begins anew in a bucket that was made anew.
  const same =
    lease === undefined || (lease.holder === before?.lease.holder && lease.renewals === before.lease.renewals);
  return same ? before : { lease, sinceMs: performance.now() };
}

/** While nothing can be seen the holder may be unable to renew its lease, too: it gets the whole time again. */
function unchangedSinceNow(seen: Seen | undefined): Seen | undefined {
  return seen === undefined ? undefined : { ...seen, sinceMs: performance.now() };
}

function isFree(seen: Seen | undefined): boolean {
  if (seen === undefined || seen.lease.holder === null) return true;
  return performance.now() - seen.sinceMs >= seen.lease.leaseMs;
}

function leaseIn(entry: KeyValueEntry | undefined): ConsumerLease | undefined {
  return consumerLeaseSchema.safeParse(entry?.value).data;
}
