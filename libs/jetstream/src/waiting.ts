import type { Random } from '@tocsin/domain';

/** Something to wait for that may be woken early: a nudge while nobody waits is kept for the next wait. */
export class Wakeup {
  #pending = false;
  #wake: (() => void) | undefined;

  /** Ends the current wait, or the next one at once. */
  wake(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** Resolves after `ms` milliseconds, at a {@link wake}, or when `signal` aborts, whichever comes first; true if woken. */
  wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (this.#pending || signal.aborted) {
      const woken = this.#pending;
      this.#pending = false;
      return Promise.resolve(woken);
    }
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        const woken = this.#pending;
        this.#wake = undefined;
        this.#pending = false;
        resolve(woken);
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}

/** Resolves after `ms` milliseconds or as soon as `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Wakeup().wait(ms, signal);
}

/** The result of `work`, or the reason of `signal` as soon as it aborts; what `work` then still brings is dropped. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}

/** Growing waits between retries: doubling from `firstMs` to `maxMs`, each shortened by up to half at random so that rivals part. */
export class Backoff {
  #nextMs: number;

  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
    private readonly random: Random,
  ) {
    this.#nextMs = firstMs;
  }

  /** Milliseconds to wait now; the next call gives about twice as many. */
  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(this.maxMs, ms * 2);
    return ms * (0.5 + this.random() / 2);
  }

  /** It worked: start small again. */
  reset(): void {
    this.#nextMs = this.firstMs;
  }
}
