import type { Clock } from '@tocsin/domain';

/** One default interval: targets that turn suspect because of us do so within it. */
const WINDOW_MS = 10_000;

/** Which targets turned suspect lately, and on which of them the others did not agree. */
export class Doubts {
  readonly #clock: Clock;
  readonly #suspects = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  suspected(subject: string): void {
    this.#suspects.set(subject, this.#clock.monotonicMs());
  }

  refused(subject: string): void {
    this.#refused.set(subject, this.#clock.monotonicMs());
  }

  forget(): void {
    this.#suspects.clear();
    this.#refused.clear();
  }

  signs(targetsUp: number): { targetsUp: number; suspects: number; refused: number } {
    const sinceMs = this.#clock.monotonicMs() - WINDOW_MS;
    for (const marks of [this.#suspects, this.#refused]) {
      for (const [subject, atMs] of marks) if (atMs < sinceMs) marks.delete(subject);
    }
    return { targetsUp, suspects: this.#suspects.size, refused: this.#refused.size };
  }
}
