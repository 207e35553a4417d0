import type { JsonValue } from './json.js';

/** A value that can stand in JSON, where members may be missing by being undefined, as `JSON.stringify` takes them. */
export type CanonicalInput = JsonValue | undefined | CanonicalInput[] | { [key: string]: CanonicalInput };

/**
 * The one spelling of a JSON value: no white space, members sorted by the UTF-16 code units of their names, numbers and strings as
 * ECMAScript spells them (RFC 8785). Two values are equal exactly if their spellings are. Unlike the RFC it takes lone surrogates, spelled
 * as `JSON.stringify` spells them, because JSON itself does. Members that are undefined are left out.
 * @throws TypeError where a value has no JSON spelling: NaN, infinities, undefined in an array
 */
export function canonicalJson(value: CanonicalInput): string {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no JSON spelling`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`a value of type ${typeof value} has no JSON spelling`);
  const members: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${canonicalJson(member)}`);
  }
  return `{${members.join(',')}}`;
}
