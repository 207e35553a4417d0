import type { Clock } from '@tocsin/domain';

/** The machine's own clock. The only place in the services where the time is read. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};
