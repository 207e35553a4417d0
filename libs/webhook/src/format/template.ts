import { type CelInput, celEnv, isCelError, isCelList, isCelMap, isCelUint, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { jsonPointer } from '@tocsin/contracts';
import { type JsonValue, type RecordedEvent, toCloudEvent, TocsinError } from '@tocsin/domain';

/** Caps on what a subscriber may have computed for every event. Characters, expressions, characters of one result. */
const EXPRESSION_CHARS = 512;
const EXPRESSIONS = 64;
const RESULT_CHARS = 65_536;
/** Compiled expressions kept. */
const KEPT = 1_000;

/** String functions whose result is never longer than what they are given; `replace`, `format` and `join` multiply. */
const SAFE_FUNCTIONS = new Set(['charAt', 'indexOf', 'lastIndexOf', 'lowerAscii', 'upperAscii', 'substring', 'trim']);
const ENVIRONMENT = celEnv({ funcs: strings.filter((candidate) => SAFE_FUNCTIONS.has(candidate.name)) });

type Program = (bindings: Record<string, CelInput>) => unknown;
const programs = new Map<string, Program>();

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
        const detail = faultOf(expression);
        if (detail !== undefined) faults.push({ pointer: at + jsonPointer(path), detail });
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
 * Fills a template: each `${…}` in a string is a CEL expression over `event` (the CloudEvent) and `data` (its payload). A string that
 * is one expression takes its value, of whatever type; within a longer string the value becomes text. The result is always JSON.
 * An expression that fails (a field that this event does not have) gives null or nothing: a hole is better than no alarm.
 */
export function renderTemplate(template: JsonValue, event: RecordedEvent): JsonValue {
  const cloudEvent = toCelInput(toCloudEvent(event));
  const bindings = { event: cloudEvent, data: toCelInput(event.data ?? null) };
  const fill = (value: JsonValue): JsonValue => {
    if (typeof value === 'string') return fillString(value, bindings);
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fill(inner)]));
  };
  return fill(template);
}

function fillString(text: string, bindings: Record<string, CelInput>): JsonValue {
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

function evaluate(expression: string, bindings: Record<string, CelInput>): JsonValue {
  try {
    const result = programOf(expression)(bindings);
    const value = isCelError(result) ? null : toJson(result);
    return textOf(value).length > RESULT_CHARS ? null : value;
  } catch {
    // As an error the evaluator returns: the field is left empty.
    return null;
  }
}

function faultOf(expression: string): string | undefined {
  try {
    programOf(expression);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'is not a CEL expression';
  }
}

function programOf(expression: string): Program {
  const known = programs.get(expression);
  if (known !== undefined) return known;
  if (expression.length > EXPRESSION_CHARS) throw new Error(`an expression may have ${EXPRESSION_CHARS} characters`);
  const parsed = parse(expression);
  // Nested loops over a large event take minutes, and building lists is quadratic in this evaluator.
  if (hasLoop(parsed.expr)) throw new Error('all, exists, filter and map are not available in a template');
  const program = plan(ENVIRONMENT, parsed) as Program;
  const oldest = programs.size >= KEPT ? programs.keys().next().value : undefined;
  if (oldest !== undefined) programs.delete(oldest);
  programs.set(expression, program);
  return program;
}

function hasLoop(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if ('case' in node && node.case === 'comprehensionExpr') return true;
  return Object.values(node).some(hasLoop);
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

/** JSON numbers without a fraction are CEL ints, so that `data.count + 1` and positions print as they were written. */
function toCelInput(value: JsonValue): CelInput {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCelInput);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([name, inner]): [string, CelInput] => [name, toCelInput(inner)]));
}

function toJson(value: unknown): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (isCelUint(value)) return toJson(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (isCelList(value)) return [...value].map(toJson);
  if (isCelMap(value)) {
    return Object.fromEntries(
      [...value].map(([name, inner]) => [isCelUint(name) ? String(name.value) : String(name), toJson(inner)]),
    );
  }
  // Timestamps and durations: `string(…)` in the expression says how they shall look.
  return null;
}
