import { parse } from '@bufbuild/cel';
import { CAPS } from './caps.js';

/** What the parser makes of an expression. */
export type Parsed = ReturnType<typeof parse>;
/** One operation, name or literal of it. */
export type Expr = Parsed['expr'];

/** An expression that cannot be used, and where: line and column count from 1. */
export class ExpressionFault extends Error {
  constructor(
    readonly detail: string,
    readonly line: number,
    readonly column: number,
    options?: { cause?: unknown },
  ) {
    super(`line ${line}, column ${column}: ${detail}`, options);
    this.name = 'ExpressionFault';
  }
}

/** Longest list of what could have stood somewhere that is worth reading, characters. */
const EXPECTED_CHARS = 160;

/**
 * Parses within the caps.
 * @throws ExpressionFault
 */
export function parseExpression(text: string): Parsed {
  if (text.length > CAPS.chars) {
    throw new ExpressionFault(`has ${text.length} characters, ${CAPS.chars} are allowed`, 1, 1);
  }
  const tooDeep = bracketsTooDeep(text);
  if (tooDeep !== undefined) {
    throw faultAt(text, tooDeep, `brackets are nested more than ${CAPS.brackets} deep`);
  }
  try {
    return parse(text);
  } catch (cause) {
    const place = placeOf(cause);
    const said = cause instanceof Error ? cause.message : 'is not a CEL expression';
    throw new ExpressionFault(shortened(said.replace(/^<input>:\d+:\d+:\s*/, '')), place.line, place.column, { cause });
  }
}

/** A fault at an offset of the text. */
export function faultAt(text: string, offset: number, detail: string): ExpressionFault {
  const before = text.slice(0, offset).split('\n');
  return new ExpressionFault(detail, before.length, (before.at(-1)?.length ?? 0) + 1);
}

/** Where brackets go too deep; what stands in strings and comments counts as well, which is as good. */
function bracketsTooDeep(text: string): number | undefined {
  let depth = 0;
  for (const { 0: bracket, index } of text.matchAll(/[([{}\])]/g)) {
    depth += '([{'.includes(bracket) ? 1 : -1;
    if (depth > CAPS.brackets) return index;
  }
  return undefined;
}

function placeOf(error: unknown): { line: number; column: number } {
  const start = (error as { location?: { start?: { line?: unknown; column?: unknown } } } | undefined)?.location?.start;
  const { line, column } = start ?? {};
  return { line: typeof line === 'number' ? line : 1, column: typeof column === 'number' ? column : 1 };
}

function shortened(text: string): string {
  return text.length <= EXPECTED_CHARS ? text : `${text.slice(0, EXPECTED_CHARS)}…`;
}
