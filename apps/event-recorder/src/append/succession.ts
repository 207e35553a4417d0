import type { LeaderLock } from './append-leader.js';

/** A loss of NATS shorter than this is nothing to hand the log over for, milliseconds: a restart of NATS, which all lose at once. */
const PATIENCE_MS = 2_000;
/** How often a leader without NATS looks whether somebody stands by who has it, milliseconds. */
export const LOOK_MS = 1_000;
/** So many looks in a row must find one: where NATS itself was away, all come back within moments of each other. */
const LOOKS = 2;

/** What a {@link Succession} works with. */
export interface SuccessionParts {
  /** Is there a connection to NATS now? */
  connected(): boolean;
  /** Tries the lock that says "I stand by and have NATS"; `onLost` as {@link LeaderParts.acquire} has it. */
  acquire(onLost: (error?: Error) => void): Promise<LeaderLock | undefined>;
  /** Milliseconds that only grow. */
  monotonicMs(): number;
}

/**
 * Whether a recorder without NATS should leave the log to another. Observers reach the leader over NATS alone: one that is cut off from
 * it, but not from Postgres, would keep the lock, and nothing they confirm would be recorded although a standby beside it could. So a
 * standby that has NATS holds a second lock, and a leader that has lost NATS looks for it. Where nobody has NATS the leader stays, and
 * records what comes over HTTP.
 */
export class Succession {
  #offer: LeaderLock | undefined;
  #lostAtMs: number | undefined;
  #found = 0;

  constructor(private readonly parts: SuccessionParts) {}

  /** Another recorder leads: this one says that it stands by, as long as it has NATS. */
  async standBy(): Promise<void> {
    if (!this.parts.connected()) return this.withdraw();
    this.#offer ??= await this.parts.acquire(() => (this.#offer = undefined));
  }

  /** This recorder no longer stands by. */
  async withdraw(): Promise<void> {
    const offer = this.#offer;
    this.#offer = undefined;
    await offer?.release();
  }

  /** Should this recorder neither lead nor stand for election now? Asked at every round of the election, and every {@link LOOK_MS} while leading. */
  async mustYield(): Promise<boolean> {
    if (this.parts.connected()) {
      this.#lostAtMs = undefined;
      this.#found = 0;
      return false;
    }
    this.#lostAtMs ??= this.parts.monotonicMs();
    if (this.parts.monotonicMs() - this.#lostAtMs < PATIENCE_MS) return false;
    await this.withdraw();
    const free = await this.parts.acquire(() => undefined);
    await free?.release();
    this.#found = free === undefined ? this.#found + 1 : 0;
    return this.#found >= LOOKS;
  }
}
