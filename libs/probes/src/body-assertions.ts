import { RE2JS } from '@bufbuild/re2';
import type { HttpCheck, JsonAssertion } from '@tocsin/contracts';
import { query, type JsonValue } from 'jsonpath-rfc9535';

type Expectation = HttpCheck['expect'];

/** By declaration: a pattern is compiled once, however often its target is probed. */
const patterns = new WeakMap<Expectation, RE2JS>();

/** A value in a sentence is cut after so many characters. */
const MOST_SHOWN = 120;

/**
 * What the body lacks of what is expected of it, as the end of a sentence (`the body …`); undefined where it lacks nothing.
 * @param body the first 64 KiB of it
 */
export function bodyFault(expect: Expectation, body: Buffer): string | undefined {
  if (expect.body !== undefined && !body.includes(expect.body)) return `does not contain ${shown(expect.body)}`;
  if (expect.regex === undefined && expect.json === undefined) return undefined;
  const text = body.toString('utf8');
  if (expect.regex !== undefined && !patternOf(expect, expect.regex).test(text)) {
    return `does not match ${shown(expect.regex)}`;
  }
  return expect.json === undefined ? undefined : jsonFault(expect.json, text);
}

function patternOf(expect: Expectation, regex: string): RE2JS {
  let pattern = patterns.get(expect);
  if (pattern === undefined) {
    pattern = RE2JS.compile(regex);
    patterns.set(expect, pattern);
  }
  return pattern;
}

function jsonFault(assertions: readonly JsonAssertion[], text: string): string | undefined {
  let document: JsonValue;
  try {
    document = JSON.parse(text) as JsonValue;
  } catch {
    return 'is not JSON, or longer than 64 KiB';
  }
  for (const assertion of assertions) {
    const fault = assertionFault(assertion, query(document, assertion.path));
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function assertionFault(assertion: JsonAssertion, values: readonly JsonValue[]): string | undefined {
  const { path } = assertion;
  if (assertion.exists === false) return values.length === 0 ? undefined : `has ${path}: ${shown(values[0])}`;
  if (values.length === 0) return `has no ${path}`;
  for (const value of values) {
    const wanted = unmet(assertion, value);
    if (wanted !== undefined) return `has ${path}: ${shown(value)}, expected ${wanted}`;
  }
  return undefined;
}

/** The comparison that does not hold, in words. */
function unmet(assertion: JsonAssertion, value: JsonValue): string | undefined {
  const { equals, notEquals, above, below } = assertion;
  if (equals !== undefined && value !== equals) return shown(equals);
  if (notEquals !== undefined && value === notEquals) return `anything but ${shown(notEquals)}`;
  if (assertion.in !== undefined && !assertion.in.some((one) => one === value)) {
    return `one of ${assertion.in.map(shown).join(', ')}`;
  }
  if (above !== undefined && !(typeof value === 'number' && value > above)) return `a number above ${above}`;
  if (below !== undefined && !(typeof value === 'number' && value < below)) return `a number below ${below}`;
  return undefined;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
