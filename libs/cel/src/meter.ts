import { CAPS } from './caps.js';

/** An evaluation went over a cap. It is the evaluation's failure, and says so to whoever wrote the expression. */
export class CapExceeded extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'CapExceeded';
  }
}

/** Evaluating is synchronous, so one meter is enough: what is left of the evaluation under way; undefined between two. */
let left: number | undefined;

/**
 * Runs an evaluation, or several that together may cost what one may: within it, further calls begin nothing anew.
 * @throws what `work` throws
 */
export function metered<T>(work: () => T): T {
  if (left !== undefined) return work();
  left = CAPS.cost;
  // An error that an expression produces and swallows, once an item, must not cost a stack trace each.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    left = undefined;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** @throws CapExceeded once the evaluation has cost too much; then at every further charge as well */
export function charge(units: number): void {
  left = (left ?? 0) - units;
  if (left < 0) throw new CapExceeded(`took more than ${CAPS.cost} steps`);
}

/** What may still be charged. */
export function budget(): number {
  return left ?? 0;
}
