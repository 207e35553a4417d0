import type { KeyRate } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Principal } from './principal.js';

/** Far above any honest client, low enough that one that runs wild leaves room for the others. */
export const USUAL_RATE: KeyRate = { perSecond: 1_000 };

/** A key has made more calls than it may. */
export class RateExceeded extends TocsinError {}

interface Limited {
  readonly rate: KeyRate;
  readonly limiter: RateLimiterMemory;
}

/** Counts the calls of each key, in this process. The bootstrap key, which has no rate, is the operator's own and is not held back. */
export class CallRate {
  readonly #limited = new Map<string, Limited>();

  /** @throws RateExceeded `TCN_OVERLOADED` with the time after which a call is taken again */
  async count({ name, rate }: Principal): Promise<void> {
    if (rate === undefined) return;
    let limited = this.#limited.get(name);
    if (limited === undefined || !sameRate(limited.rate, rate)) {
      limited = { rate, limiter: limiterOf(rate) };
      this.#limited.set(name, limited);
    }
    try {
      await limited.limiter.consume(name);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      throw new RateExceeded('TCN_OVERLOADED', `the key "${name}" may make ${rate.perSecond} calls a second`, {
        retryAfterMs: Math.max(1, refused.msBeforeNext),
      });
    }
  }
}

function limiterOf({ perSecond, burst }: KeyRate): RateLimiterMemory {
  const points = burst ?? Math.max(1, Math.ceil(perSecond));
  return new RateLimiterMemory({ points, duration: points / perSecond });
}

function sameRate(one: KeyRate, other: KeyRate): boolean {
  return one.perSecond === other.perSecond && one.burst === other.burst;
}
