import type { Transition } from '@tocsin/domain';

/** More changes of one target than a recorder that is away for an hour can leave waiting, unless the target flaps. */
const MOST = 64;

/** Changes of one target that wait to be committed, oldest first. */
export class HeldTransitions {
  readonly #held: Transition[] = [];

  get oldest(): Transition | undefined {
    return this.#held[0];
  }

  /**
   * Adds the newest change. Where there are too many, a pair in the middle is let go: the oldest may be on its way already,
   * and the newest are the truth.
   * @returns how many were let go
   */
  push(transition: Transition): number {
    this.#held.push(transition);
    if (this.#held.length <= MOST) return 0;
    return this.#held.splice(1, 2).length;
  }

  shift(): Transition | undefined {
    return this.#held.shift();
  }
}
