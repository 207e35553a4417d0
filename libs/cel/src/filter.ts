import { type FilterMismatch, type MatchClause, type RecordedEvent, TocsinError } from '@tocsin/domain';
import { compile, type Expression } from './expression.js';
import { ExpressionFault } from './syntax.js';
import { fits } from './types.js';
import { bindingsOf } from './variables.js';

/** Compiled once for each declaration, and for as long as that is used. */
const compiled = new WeakMap<MatchClause, Expression | ExpressionFault>();

/** Filters that were found good: of ten thousand subscriptions in one file, many have the same. */
const checked = new Set<string>();
const KEPT = 2_000;

/**
 * Checks a filter when it is declared.
 * @param at JSON pointer of the filter in what was sent
 * @throws TocsinError `TCN_INVALID` with a fault that names line and column
 */
export function checkFilter(text: string, at = '/filter'): void {
  if (checked.has(text)) return;
  const made = compiledOf(text);
  if (!(made instanceof ExpressionFault)) {
    if (checked.size >= KEPT) checked.clear();
    checked.add(text);
    return;
  }
  throw new TocsinError('TCN_INVALID', `${at}: ${made.message}`, {
    cause: made,
    faults: [{ pointer: at, detail: made.message }],
  });
}

/**
 * Asks the clause's filter about an event, as `mismatchOf` of the domain wants it: undefined where it is true or there is none. One that
 * fails, or gives anything but a bool, is a mismatch that says why. Never throws.
 */
export function askFilter(clause: MatchClause, event: RecordedEvent): FilterMismatch | undefined {
  if (clause.filter === undefined) return undefined;
  let expression = compiled.get(clause);
  if (expression === undefined) {
    expression = compiledOf(clause.filter);
    compiled.set(clause, expression);
  }
  // Declared under other rules than those of this version.
  if (expression instanceof ExpressionFault) return { clause: 'filter', failed: expression.message };
  const outcome = expression.evaluate(bindingsOf(event));
  if ('failed' in outcome) return { clause: 'filter', failed: outcome.failed };
  if (outcome.value === true) return undefined;
  return outcome.value === false
    ? { clause: 'filter' }
    : { clause: 'filter', failed: `gave no bool but ${describe(outcome.value)}` };
}

function compiledOf(text: string): Expression | ExpressionFault {
  try {
    const expression = compile(text);
    if (fits(expression.kind, 'bool')) return expression;
    return new ExpressionFault(`gives a ${expression.kind}; a filter must give a bool`, 1, 1);
  } catch (error) {
    if (error instanceof ExpressionFault) return error;
    throw error;
  }
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? 'a value of several parts' : `a ${typeof value}`;
}
