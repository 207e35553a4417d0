import type { ConfigFields } from './define-config.js';

/** Farthest distance at which a name is offered as the one that was meant: one slip, or two letters swapped. */
const TYPO_DISTANCE = 2;

/**
 * Names what nobody reads: `TOCSIN_` variables that are in none of `known`. Most are slips of the pen, so the nearest name is offered.
 * @returns one sentence per variable, names only
 */
export function unknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  known: readonly (ConfigFields | string)[],
): string[] {
  const names = known.flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.keys(entry)));
  return Object.keys(env)
    .filter((name) => name.startsWith('TOCSIN_') && !names.includes(name))
    .toSorted()
    .map((name) => {
      const meant = names
        .map((candidate) => ({ candidate, distance: distanceOf(name, candidate) }))
        .filter(({ distance }) => distance <= TYPO_DISTANCE)
        .toSorted((a, b) => a.distance - b.distance)[0];
      const hint = meant === undefined ? '' : `; did you mean ${meant.candidate}?`;
      return `${name} is not a variable of this process${hint}`;
    });
}

/** Levenshtein distance. */
function distanceOf(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const substitution = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}
