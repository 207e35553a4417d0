/** Wakes all who wait. Whoever is not waiting at that moment is not told: check the condition before each wait. */
export class Wakeup {
  readonly #waiting = new Set<() => void>();

  wake(): void {
    for (const resume of this.#waiting) resume();
  }

  /** True when woken, false after `ms` milliseconds or when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    if (signal.aborted) return Promise.resolve(false);
    const finish = (woken: boolean) => (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      this.#waiting.delete(onWake);
      resolve(woken);
    };
    const onWake = finish(true);
    const onAbort = finish(false);
    const timer = setTimeout(onAbort, ms);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(onWake);
    return promise;
  }
}
