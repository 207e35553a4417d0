import { type Bindings, bindingsOf, compile, type Expression, ExpressionFault, jsonOf, metered } from '@tocsin/cel';
import { jsonPointer } from '@tocsin/contracts';
import { type JsonValue, type RecordedEvent, TocsinError } from '@tocsin/domain';

/** Caps beside those of every expression: characters of one, how many there are, characters of one result. */
const EXPRESSION_CHARS = 512;
const EXPRESSIONS = 64;
const RESULT_CHARS = 65_536;
/** Compiled expressions kept. */
const KEPT = 1_000;

const compiled = new Map<string, Expression | ExpressionFault>();

/**
 * Checks a template when it is declared.
 * @throws TocsinError `TCN_INVALID` with a fault for each expression that cannot be used, pointers under `at`
 */
export function checkTemplate(template: JsonValue, at: string): void {
  const faults: { pointer: string; detail: string }[] = [];
  let count = 0;
  const visit = (value: JsonValue, path: readonly string[]): void => {
    if (typeof value === 'string') {
      for (const { expression } of piecesOf(value)) {
        if (expression === undefined) continue;
        count++;
        const made = compiledOf(expression);
        if (made instanceof ExpressionFault) faults.push({ pointer: at + jsonPointer(path), detail: made.message });
      }
    } else if (Array.isArray(value)) {
      value.forEach((inner, index) => visit(inner, [...path, String(index)]));
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) visit(inner, [...path, name]);
    }
  };
  visit(template, []);
  if (count > EXPRESSIONS) faults.push({ pointer: at, detail: `has more than ${EXPRESSIONS} expressions` });
  const [first] = faults;
  if (first !== undefined) throw new TocsinError('TCN_INVALID', `${first.pointer}: ${first.detail}`, { faults });
}

/**
 * Fills a template: each `${…}` in a string is a CEL expression over `event` (the CloudEvent), `data` (its payload) and `labels`. A
 * string that is one expression takes its value, of whatever type; within a longer string the value becomes text. The result is always
 * JSON. All of them together may cost what one filter may. An expression that fails (a field that this event does not have) gives null or nothing: a hole is better than no alarm.
 */
export function renderTemplate(template: JsonValue, event: RecordedEvent): JsonValue {
  const bindings = bindingsOf(event);
  const fill = (value: JsonValue): JsonValue => {
    if (typeof value === 'string') return fillString(value, bindings);
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fill(inner)]));
  };
  return metered(() => fill(template));
}

function fillString(text: string, bindings: Bindings): JsonValue {
  const pieces = piecesOf(text);
  const [only] = pieces;
  if (pieces.length === 1 && only?.expression !== undefined) return evaluate(only.expression, bindings);
  return pieces
    .map((piece) => (piece.expression === undefined ? piece.literal : textOf(evaluate(piece.expression, bindings))))
    .join('');
}

function textOf(value: JsonValue): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function evaluate(text: string, bindings: Bindings): JsonValue {
  const expression = compiledOf(text);
  if (expression instanceof ExpressionFault) return null;
  const outcome = expression.evaluate(bindings);
  if ('failed' in outcome) return null;
  const value = jsonOf(outcome.value);
  return textOf(value).length > RESULT_CHARS ? null : value;
}

function compiledOf(text: string): Expression | ExpressionFault {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const made = compileOrFault(text);
  const oldest = compiled.size >= KEPT ? compiled.keys().next().value : undefined;
  if (oldest !== undefined) compiled.delete(oldest);
  compiled.set(text, made);
  return made;
}

function compileOrFault(text: string): Expression | ExpressionFault {
  if (text.length > EXPRESSION_CHARS) {
    return new ExpressionFault(`an expression may have ${EXPRESSION_CHARS} characters`, 1, 1);
  }
  try {
    return compile(text);
  } catch (error) {
    if (error instanceof ExpressionFault) return error;
    throw error;
  }
}

/** Literal text and `${…}` expressions in turn; a brace inside a CEL string or map does not end the expression. `$${` is a plain `${`. */
function piecesOf(text: string): ({ literal: string; expression?: never } | { expression: string })[] {
  const pieces: ReturnType<typeof piecesOf> = [];
  let literal = '';
  let index = 0;
  while (index < text.length) {
    if (text.startsWith('$${', index)) {
      literal += '${';
      index += 3;
      continue;
    }
    const end = text.startsWith('${', index) ? endOfExpression(text, index + 2) : -1;
    if (end < 0) {
      literal += text.charAt(index++);
      continue;
    }
    if (literal !== '') pieces.push({ literal });
    literal = '';
    pieces.push({ expression: text.slice(index + 2, end).trim() });
    index = end + 1;
  }
  if (literal !== '') pieces.push({ literal });
  return pieces;
}

function endOfExpression(text: string, from: number): number {
  let depth = 0;
  let quote = '';
  for (let index = from; index < text.length; index++) {
    const character = text.charAt(index);
    if (quote !== '') {
      if (character === '\\') index++;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '{') depth++;
    else if (character === '}' && depth-- === 0) return index;
  }
  return -1;
}
