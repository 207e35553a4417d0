import { isIsolated, mayRejoin, type Clock } from '@tocsin/domain';
import { pause } from '@tocsin/platform';
import type { Doubts } from './doubts.js';

/** How often the canaries are looked at when nothing seems amiss. */
const PERIOD_MS = 5_000;
/** And while this observer is isolated: it rejoins as soon as they pass. */
const ISOLATED_PERIOD_MS = 1_000;
/** Two looks, so far apart, must agree: a broker that restarts is no cut. */
const CONFIRM_MS = 1_000;
/** Who was isolated because the others saw his targets well stays so for a while, else it would flap with each round. */
const DOUBT_HOLD_MS = 60_000;

export interface IsolationWatchDeps {
  clock: Clock;
  doubts: Doubts;
  /** Outcomes of all canaries, within a second or so. Never rejects. */
  canaries: () => Promise<boolean[]>;
  targetsUp: () => number;
  onIsolated: (reason: string) => void;
  onRejoined: () => void;
}

/** Knows whether this observer is cut off, and says so once each way. */
export class IsolationWatch {
  readonly #deps: IsolationWatchDeps;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isolated = false;
  #holdUntilMs = 0;

  constructor(deps: IsolationWatchDeps) {
    this.#deps = deps;
  }

  get isolated(): boolean {
    return this.#isolated;
  }

  start(): void {
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  /** Looks now, or waits for the look that is under way. Afterwards `isolated` can be relied on. */
  look(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.resolve();
    return (this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      this.#arm();
    }));
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => void this.look(), this.#isolated ? ISOLATED_PERIOD_MS : PERIOD_MS);
  }

  async #look(): Promise<void> {
    const canaries = await this.#deps.canaries();
    if (this.#abort.signal.aborted) return;
    if (this.#isolated) {
      if (mayRejoin(canaries) && this.#deps.clock.monotonicMs() >= this.#holdUntilMs) this.#rejoin();
      return;
    }
    if (!mayRejoin(canaries)) {
      await pause(CONFIRM_MS, this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      const again = await this.#deps.canaries();
      if (!mayRejoin(again)) {
        const dead = again.filter((passes) => !passes).length;
        this.#isolate(`${dead} of ${again.length} canaries do not answer`, 0);
      }
      return;
    }
    const signs = this.#deps.doubts.signs(this.#deps.targetsUp());
    if (isIsolated({ canaries, ...signs })) {
      const reason = `${signs.suspects} of ${signs.targetsUp} targets suspect at once, ${signs.refused} refused by the others`;
      this.#isolate(reason, DOUBT_HOLD_MS);
    }
  }

  #isolate(reason: string, holdMs: number): void {
    this.#isolated = true;
    this.#holdUntilMs = this.#deps.clock.monotonicMs() + holdMs;
    this.#deps.doubts.forget();
    this.#deps.onIsolated(reason);
  }

  #rejoin(): void {
    this.#isolated = false;
    this.#deps.onRejoined();
  }
}
