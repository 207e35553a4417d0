import type { JsonValue } from './json.js';

/** All but what never needs an escape: that is, control characters, quote, backslash, and surrogates, which may stand alone. */
const NEEDS_ESCAPE = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** Objects of up to so many members, whose names have up to so many UTF-16 code units together, have a {@link Shape} that is kept. */
const MOST_KEPT_MEMBERS = 32;
const MOST_KEPT_LENGTH = 1_024;
/** How many shapes are kept: there are far fewer kinds of events, but what a producer names his members is up to him. */
const MOST_SHAPES = 512;

/** The names of an object's members, as they stand in it. Objects of a kind have the same, mostly in the same order. */
interface Shape {
  readonly names: readonly string[];
  /** The same, sorted. */
  readonly sorted: readonly string[];
  /** What begins each member, in sorted order. */
  readonly spelled: readonly string[];
}

/** By number of members and first name. To sort names and to spell them took as long as everything else that is done here. */
const shapes = new Map<number, Map<string, Shape>>();
let shapesKept = 0;

/** A value that can stand in JSON, where members may be missing by being undefined, as `JSON.stringify` takes them. */
export type CanonicalInput = JsonValue | undefined | CanonicalInput[] | { [key: string]: CanonicalInput };

/**
 * The one spelling of a JSON value: no white space, members sorted by the UTF-16 code units of their names, numbers and strings as
 * ECMAScript spells them (RFC 8785). Two values are equal exactly if their spellings are. Unlike the RFC it takes lone surrogates, spelled
 * as `JSON.stringify` spells them, because JSON itself does. Members that are undefined are left out.
 * @throws TypeError where a value has no JSON spelling (NaN, infinities, undefined in an array) or `JSON.stringify` would spell something
 * else than its members (dates, boxed values, anything with a `toJSON`)
 */
export function canonicalJson(value: CanonicalInput): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'boolean' || value === null) return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no JSON spelling`);
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  requirePlain(value);
  const { sorted, spelled } = shapeOf(Object.keys(value));
  let members = '';
  for (let index = 0; index < sorted.length; index += 1) {
    const member = value[sorted[index] ?? ''];
    if (member === undefined) continue;
    if (members !== '') members += ',';
    members += (spelled[index] ?? '') + canonicalJson(member);
  }
  return `{${members}}`;
}

function shapeOf(names: readonly string[]): Shape {
  const known = shapes.get(names.length)?.get(names[0] ?? '');
  if (known !== undefined && isSame(known.names, names)) return known;
  const sorted = names.toSorted();
  const shape: Shape = { names, sorted, spelled: sorted.map((name) => `${quoted(name)}:`) };
  if (names.length <= MOST_KEPT_MEMBERS && names.join('').length <= MOST_KEPT_LENGTH) keep(shape);
  return shape;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  for (let index = 0; index < others.length; index += 1) if (some[index] !== others[index]) return false;
  return true;
}

function keep(shape: Shape): void {
  const { names } = shape;
  if (shapesKept >= MOST_SHAPES) {
    shapes.clear();
    shapesKept = 0;
  }
  let ofSize = shapes.get(names.length);
  if (ofSize === undefined) shapes.set(names.length, (ofSize = new Map<string, Shape>()));
  const first = names[0] ?? '';
  if (!ofSize.has(first)) shapesKept += 1;
  ofSize.set(first, shape);
}

/** Nearly every string needs no escape, and every append to the log comes through here. */
function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function requirePlain(value: unknown): asserts value is { [key: string]: CanonicalInput } {
  const { toJSON } = value as { toJSON?: unknown };
  // What JSON.parse makes needs no closer look.
  if (Object.getPrototypeOf(value) === Object.prototype && typeof toJSON !== 'function') return;
  const kind = Object.prototype.toString.call(value);
  if (kind !== '[object Object]' || typeof toJSON === 'function') throw new TypeError(`${kind} has no JSON spelling`);
}
