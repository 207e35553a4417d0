import { RE2JS } from '@bufbuild/re2';
import { CAPS } from './caps.js';
import { CapExceeded, charge } from './meter.js';

/** Compiled patterns kept. Each keeps its automaton, which grows with what it has seen. */
const KEPT = 500;

interface Pattern {
  expression: RE2JS;
  states: number;
}

const patterns = new Map<string, Pattern>();

/**
 * A regular expression in RE2's syntax (https://github.com/google/re2/wiki/Syntax), which takes linear time whatever the text.
 * @throws Error that says what is wrong with the pattern
 */
function patternOf(text: string): Pattern {
  const known = patterns.get(text);
  if (known !== undefined) return known;
  if (text.length > CAPS.patternChars) {
    throw new CapExceeded(`the pattern has ${text.length} characters, ${CAPS.patternChars} are allowed`);
  }
  // Compiled first and counted then, a counted group within another would take a second.
  const tooMany = `the pattern has more than ${CAPS.patternStates} states: what is counted in {…} counts as often`;
  if (repetitionsIn(text) > CAPS.patternStates * 2) throw new CapExceeded(tooMany);
  const expression = RE2JS.compile(text);
  const pattern = { expression, states: expression.re2().prog.numInst() };
  if (pattern.states > CAPS.patternStates) throw new CapExceeded(tooMany);
  const oldest = patterns.size >= KEPT ? patterns.keys().next().value : undefined;
  if (oldest !== undefined) patterns.delete(oldest);
  patterns.set(text, pattern);
  return pattern;
}

/** About how many characters a pattern has once everything that is counted is written out. */
function repetitionsIn(text: string): number {
  const outer: number[] = [];
  let sum = 0;
  let last = 0;
  for (const [token] of text.matchAll(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|[^]/g)) {
    if (token === '(') {
      outer.push(sum);
      sum = last = 0;
    } else if (token === ')') {
      last = sum;
      sum += outer.pop() ?? 0;
    } else if (token.startsWith('{') && token.length > 1) {
      const times = Math.max(...token.slice(1, -1).split(',').map(Number), 1);
      sum += last * (times - 1);
      last *= times;
    } else {
      last = 1;
      sum += 1;
    }
  }
  return sum + outer.reduce((total, one) => total + one, 0);
}

/** Refuses a pattern that could not be used. @throws Error that says why */
export function checkPattern(text: string): void {
  patternOf(text);
}

/** The engine behind `matches`. */
export const METERED_RE2 = {
  compile(pattern: string) {
    const { expression, states } = patternOf(pattern);
    return {
      test(text: string): boolean {
        if (text.length > CAPS.matchedChars) {
          throw new CapExceeded(`"matches" looks at ${CAPS.matchedChars} characters at most, this has ${text.length}`);
        }
        // The worst patterns come to a new set of states at every character.
        charge((text.length * states) / 2);
        return expression.test(text);
      },
    };
  },
};
