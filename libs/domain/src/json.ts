/** Any value that JSON can carry. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** Are arrays and objects nested more than `levels` deep in a value? Looks no deeper itself, so that nothing overflows its stack. */
export function isNestedDeeper(value: JsonValue, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((item) => isNestedDeeper(item, levels - 1));
  for (const name in value) {
    const member = value[name];
    if (typeof member === 'object' && isNestedDeeper(member, levels - 1)) return true;
  }
  return false;
}
