import type { Overlay, Transition } from '@tocsin/domain';

/** More changes of one target than a recorder that is away for an hour can leave waiting, unless the target flaps. */
const MOST = 64;

/** A change that waits to be committed. */
export interface Held {
  transition: Transition;
  /** What lay over the target when it was confirmed: what happened in a window belongs to it, however late it is written. */
  overlays: readonly Overlay[];
}

/** Changes of one target that wait to be committed, oldest first. */
export class HeldTransitions {
  readonly #held: Held[] = [];

  get oldest(): Held | undefined {
    return this.#held[0];
  }

  /**
   * Adds the newest change. Where there are too many, a pair in the middle is let go: the oldest may be on its way already,
   * and the newest are the truth.
   * @returns how many were let go
   */
  push(held: Held): number {
    this.#held.push(held);
    if (this.#held.length <= MOST) return 0;
    return this.#held.splice(1, 2).length;
  }

  shift(): Held | undefined {
    return this.#held.shift();
  }
}
