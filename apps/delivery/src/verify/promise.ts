import type { MatchedPart } from './matched-log.js';
import type { DeliveryFate } from './part-fates.js';

/** How a promise stands. */
export interface PromiseVerdict {
  /** Its number in the list of promises. */
  promise: 1 | 2 | 3 | 4 | 5;
  ok: boolean;
  /** What was looked at, and how much of it; one sentence for people. */
  checked: string;
  /** The first findings, for people. */
  findings: string[];
  findingCount: number;
}

/** Checks one promise while the log goes by. What it keeps in memory is bounded by what is open, not by the log. */
export interface PromiseCheck {
  take(part: MatchedPart, fates: ReadonlyMap<string, DeliveryFate>): void;
  /** Called once, when the log has gone by. */
  verdict(): Promise<PromiseVerdict> | PromiseVerdict;
}

/** Findings named at most. */
const MOST_NAMED = 20;

/** Findings: the first of them, and how many there are. */
export class Findings {
  readonly named: string[] = [];
  count = 0;

  add(finding: string): void {
    this.count += 1;
    if (this.named.length < MOST_NAMED) this.named.push(finding);
  }

  /** The verdict they come to. */
  verdict(promise: PromiseVerdict['promise'], checked: string): PromiseVerdict {
    return { promise, ok: this.count === 0, checked, findings: this.named, findingCount: this.count };
  }
}
