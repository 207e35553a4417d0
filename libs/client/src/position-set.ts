/**
 * Positions as ranges. Positions come mostly in order and without holes, so it is a range or two however many there are.
 */
export class PositionSet {
  #ranges: { from: number; to: number }[] = [];

  /** Number of ranges. */
  get size(): number {
    return this.#ranges.length;
  }

  /** Greatest position, 0 where there is none. */
  get last(): number {
    return this.#ranges.at(-1)?.to ?? 0;
  }

  has(position: number): boolean {
    for (let index = this.#ranges.length - 1; index >= 0; index--) {
      const range = this.#ranges[index];
      if (range !== undefined && position >= range.from) return position <= range.to;
    }
    return false;
  }

  /** Adds `from` … `to`, both included; nothing where `to` is before `from`. */
  add(from: number, to: number): void {
    if (to < from) return;
    const before = this.#ranges.filter((range) => range.to < from - 1);
    const after = this.#ranges.filter((range) => range.from > to + 1);
    const touching = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const merged = {
      from: Math.min(from, ...touching.map((range) => range.from)),
      to: Math.max(to, ...touching.map((range) => range.to)),
    };
    this.#ranges = [...before, merged, ...after];
  }

  /** Forgets ranges that lie wholly at or before `position`, but for the last. */
  forget(position: number): void {
    this.#ranges = this.#ranges.filter((range, index) => range.to > position || index === this.#ranges.length - 1);
  }
}
