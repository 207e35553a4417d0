import { CALM, calmed, flapped, pointsAt, type Clock, type FlapState } from '@tocsin/domain';
import type { Target } from '../targets/target.js';

/** How exactly the end of flapping, and a down that holds, are noticed. */
const PERIOD_MS = 1_000;

/** How much a target has flapped, as its events carry it. */
export interface Damping {
  points: number;
  flapping: boolean;
}

export interface FlapDamperDeps {
  clock: Clock;
  /** In this time half of what has happened is forgiven, milliseconds. */
  halfLifeMs: number;
  onStarted: (target: Target, flapping: Flapping) => void;
  onStopped: (target: Target, flapping: Flapping) => void;
  /** A second has passed for a target that flaps: what was kept back may be due. */
  onTick: (target: Target) => void;
}

/** What is said of flapping when it starts and stops. */
export interface Flapping {
  points: number;
  /** Downs confirmed since it started. */
  downs: number;
  flappingMs: number;
}

interface Account {
  target: Target;
  state: FlapState;
  downs: number;
  /** Monotonic time at which flapping started here. */
  sinceMs: number;
}

/** Damps targets that go down and up all the time: one event when it starts, silence, one when it stops. */
export class FlapDamper {
  readonly #deps: FlapDamperDeps;
  readonly #accounts = new Map<string, Account>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: FlapDamperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), PERIOD_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A down was confirmed. */
  down(target: Target): void {
    const { clock, halfLifeMs } = this.#deps;
    const nowMs = clock.monotonicMs();
    const account = this.#account(target);
    const { state, change } = flapped(account.state, nowMs, halfLifeMs);
    account.state = state;
    account.downs += 1;
    if (change !== 'started') return;
    account.sinceMs = nowMs;
    account.downs = 1;
    this.#deps.onStarted(target, { points: state.points, downs: 1, flappingMs: 0 });
  }

  /** Adds what the newest event of a target says to what is known here. `onStarted` is called where it still flaps. */
  restore(target: Target, damping: Damping, ageMs: number): void {
    const { clock, halfLifeMs } = this.#deps;
    const nowMs = clock.monotonicMs();
    const account = this.#account(target);
    const past: FlapState = { ...damping, atMs: nowMs - Math.max(0, ageMs) };
    const points = pointsAt(past, nowMs, halfLifeMs) + pointsAt(account.state, nowMs, halfLifeMs);
    const flapping = account.state.flapping || damping.flapping;
    if (flapping && !account.state.flapping) account.sinceMs = past.atMs;
    account.state = { points, atMs: nowMs, flapping };
    if (flapping && calmed(account.state, nowMs, halfLifeMs).change === undefined) {
      this.#deps.onStarted(target, { points, downs: account.downs, flappingMs: nowMs - account.sinceMs });
    }
  }

  forget(target: Target): void {
    this.#accounts.delete(target.subject);
  }

  flapping(subject: string): boolean {
    return this.#accounts.get(subject)?.state.flapping === true;
  }

  /** Undefined for a target that has not flapped lately. */
  damping(subject: string): Damping | undefined {
    const account = this.#accounts.get(subject);
    if (account === undefined) return undefined;
    const { clock, halfLifeMs } = this.#deps;
    const points = Math.round(pointsAt(account.state, clock.monotonicMs(), halfLifeMs));
    return { points, flapping: account.state.flapping };
  }

  /** Looks at every target now. */
  look(): void {
    const { clock, halfLifeMs } = this.#deps;
    const nowMs = clock.monotonicMs();
    for (const [subject, account] of this.#accounts) {
      if (!account.state.flapping) {
        // Less than the weight of a thousandth of a down: forgotten.
        if (pointsAt(account.state, nowMs, halfLifeMs) < 1) this.#accounts.delete(subject);
        continue;
      }
      const { state, change } = calmed(account.state, nowMs, halfLifeMs);
      account.state = state;
      if (change === 'stopped') {
        const { downs, sinceMs } = account;
        this.#deps.onStopped(account.target, { points: state.points, downs, flappingMs: nowMs - sinceMs });
      }
      this.#deps.onTick(account.target);
    }
  }

  #account(target: Target): Account {
    const known = this.#accounts.get(target.subject);
    if (known !== undefined) {
      known.target = target;
      return known;
    }
    const account: Account = { target, state: CALM, downs: 0, sinceMs: 0 };
    this.#accounts.set(target.subject, account);
    return account;
  }
}
