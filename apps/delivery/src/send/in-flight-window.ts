/** Requests in flight to an endpoint of which nothing is known yet. */
export const WINDOW_START = 4;
export const WINDOW_MIN = 1;
/** More than this to one receiver buys nothing: it is its turn to be quick. */
export const WINDOW_MAX = 32;

/**
 * How many requests an endpoint is given at a time: more while it takes all it is given, one more a success until the first failure
 * and one more a round after it; half of that after each failure. (TCP's way, RFC 5681 § 3.1.)
 */
export class InFlightWindow {
  #size = WINDOW_START;
  #probing = true;

  /** Requests that may be in flight now. */
  get limit(): number {
    return Math.floor(this.#size);
  }

  /** @param inFlight requests under way when it came back, this one included: a window that is not used is not widened */
  succeeded(inFlight: number): void {
    if (inFlight < this.limit) return;
    this.#size = Math.min(this.#size + (this.#probing ? 1 : 1 / this.#size), WINDOW_MAX);
  }

  /** The endpoint is back after a rest: what it takes now is found out anew, as quickly as at first. */
  recovered(): void {
    this.#probing = true;
  }

  failed(): void {
    this.#probing = false;
    this.#size = Math.max(this.#size / 2, WINDOW_MIN);
  }
}
