import type { JsonValue } from '@tocsin/domain';

/** `google.protobuf.Value` as the loader gives it: whichever of its kinds is set. */
export interface Value {
  nullValue?: 'NULL_VALUE';
  numberValue?: number;
  stringValue?: string;
  boolValue?: boolean;
  structValue?: Struct | null;
  listValue?: { values: Value[] } | null;
}

/** `google.protobuf.Struct` as the loader gives it. */
export interface Struct {
  fields: Record<string, Value>;
}

/** The JSON object that a `google.protobuf.Struct` stands for. */
export function structToJson(struct: Struct | null | undefined): Record<string, JsonValue> {
  return Object.fromEntries(Object.entries(struct?.fields ?? {}).map(([key, value]) => [key, valueToJson(value)]));
}

/** The JSON value that a `google.protobuf.Value` stands for. */
export function valueToJson(value: Value): JsonValue {
  if (value.structValue !== undefined && value.structValue !== null) return structToJson(value.structValue);
  if (value.listValue !== undefined && value.listValue !== null) return value.listValue.values.map(valueToJson);
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null;
}

/** The `google.protobuf.Value` of a JSON value. */
export function jsonToValue(json: JsonValue): Value {
  if (json === null) return { nullValue: 'NULL_VALUE' };
  if (typeof json === 'string') return { stringValue: json };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'boolean') return { boolValue: json };
  if (Array.isArray(json)) return { listValue: { values: json.map(jsonToValue) } };
  const fields = Object.entries(json).map(([key, value]): [string, Value] => [key, jsonToValue(value)]);
  return { structValue: { fields: Object.fromEntries(fields) } };
}
