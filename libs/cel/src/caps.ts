/**
 * Caps on what a subscriber may have computed for every event, so that none makes the others wait. They are counted, never timed:
 * whoever evaluates an expression again, on another machine or years later, comes to the same answer.
 */
export const CAPS = {
  /** Characters of one expression. */
  chars: 2_048,
  /** Brackets within brackets; the parser recurses. */
  brackets: 32,
  /** Operations within operations; the evaluator recurses. */
  depth: 64,
  /** Operations, names and literals. */
  nodes: 300,
  /** Loops (`all`, `exists`, `exists_one`) within loops. */
  loops: 2,
  /** Items one loop walks, and items of a list that is put together. */
  items: 1_000,
  /** Characters of a text that is put together: four of the largest events. */
  textChars: 1_048_576,
  /** Characters that are read as a number, a time or a duration: reading digits takes more than linear time. */
  literalChars: 64,
  /** Characters of a regular expression. */
  patternChars: 256,
  /** States of a regular expression's automaton: `[a-z]{500}` has five hundred. */
  patternStates: 200,
  /** Characters a regular expression looks at: names and reasons, not documents. */
  matchedChars: 1_024,
  /** What one evaluation may cost, in units of a microsecond or a few: 20 ms for the worst that can be written, 20 µs for the usual. */
  cost: 30_000,
} as const;
