import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after `ms` milliseconds, or as soon as `signal` aborts; never rejects. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  // An abort is the only thing that a wait can fail with.
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
