/** How long work may keep the event loop to itself, milliseconds: what everything else has to wait at most, beside the last piece of work. */
const SLICE_MS = 10;

/**
 * Shares the event loop. Whoever has a piece of work of some milliseconds asks for a place before it begins; when those of one turn have
 * used up a slice of time, the others wait for later turns, in order. So hundreds of large requests that arrive together do not keep back
 * timers, answers of servers and everybody else's requests until the last of them is parsed.
 */
export class WorkSlices {
  readonly #nowMs: () => number;
  readonly #waiting: (() => void)[] = [];
  /** When the first work of this turn began; undefined where nobody has asked in it. */
  #begunMs: number | undefined;
  #working = false;

  /** @param nowMs milliseconds that only grow */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Resolves when it is one's turn; undefined where that is now. */
  next(): Promise<void> | undefined {
    if (!this.#working && this.#waiting.length === 0 && this.#hasTime()) {
      this.#work();
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #hasTime(): boolean {
    if (this.#begunMs !== undefined) return this.#nowMs() - this.#begunMs < SLICE_MS;
    this.#begunMs = this.#nowMs();
    setImmediate(() => {
      this.#begunMs = undefined;
      this.#letIn();
    });
    return true;
  }

  #letIn(): void {
    if (this.#working || this.#waiting.length === 0 || !this.#hasTime()) return;
    this.#waiting.shift()?.();
    this.#work();
  }

  /** One works, as far as it goes without waiting for anything; then it is the next one's turn. */
  #work(): void {
    this.#working = true;
    // Behind the microtask in which the work begins, and behind all that follow from it.
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#working = false;
        this.#letIn();
      }),
    );
  }
}

/** The slices of this thread, which has one event loop, however many services are in it. */
export const workSlices = new WorkSlices();
