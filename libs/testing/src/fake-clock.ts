import type { Clock, Random } from '@tocsin/domain';

/** A clock that moves when told. Both of its times start where you say and go on together, except when the wall clock steps. */
export class FakeClock implements Clock {
  private wallMs: number;
  private monotonic = 0;

  /** @param start wall-clock time: milliseconds since 1970, or an RFC 3339 text. */
  constructor(start: number | string = '2026-01-01T00:00:00.000Z') {
    this.wallMs = typeof start === 'number' ? start : Date.parse(start);
    if (Number.isNaN(this.wallMs)) throw new RangeError(`not a time: ${start}`);
  }

  now(): number {
    return this.wallMs;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  /** Lets time pass. */
  advance(ms: number): void {
    if (ms < 0) throw new RangeError('time does not pass backwards; use stepWall for a clock that is set');
    this.wallMs += ms;
    this.monotonic += ms;
  }

  /** Sets the wall clock forward or back, as an administrator or NTP does; no time passes. */
  stepWall(ms: number): void {
    this.wallMs += ms;
  }
}

/** Random numbers that are the same in every run (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
