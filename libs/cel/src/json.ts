import { isCelList, isCelMap, isCelUint } from '@bufbuild/cel';
import type { JsonValue } from '@tocsin/domain';

/** The JSON of what an expression gave. What JSON has no number for becomes text. */
export function jsonOf(value: unknown): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (isCelUint(value)) return jsonOf(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (isCelList(value)) return [...value].map(jsonOf);
  if (isCelMap(value)) {
    return Object.fromEntries(
      [...value].map(([name, inner]) => [isCelUint(name) ? String(name.value) : String(name), jsonOf(inner)]),
    );
  }
  // Timestamps and durations: `string(…)` in the expression says how they shall look.
  return null;
}
