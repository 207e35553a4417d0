import type { JsonValue } from './json.js';

/** All but what never needs an escape: that is, control characters, quote, backslash, and surrogates, which may stand alone. */
const NEEDS_ESCAPE = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** Beyond so many members, sorting by insertion takes longer than the general sort. */
const MANY_MEMBERS = 32;

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
  let members = '';
  for (const name of sortedNames(value)) {
    const member = value[name];
    if (member !== undefined) members += `${members === '' ? '' : ','}${quoted(name)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

/** By insertion: objects have few members, often in order already, and the general sort costs more than the rest of this file. */
function sortedNames(value: object): string[] {
  const names = Object.keys(value);
  if (names.length > MANY_MEMBERS) return names.sort();
  for (let index = 1; index < names.length; index += 1) {
    const name = names[index] ?? '';
    let at = index;
    for (let before = names[at - 1]; at > 0 && before !== undefined && before > name; before = names[at - 1]) {
      names[at] = before;
      at -= 1;
    }
    names[at] = name;
  }
  return names;
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
