import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from '@tocsin/domain';

/** One field that differs. Undefined: it is not there. */
export interface Change {
  /** Names joined by dots: `check.interval`. */
  field: string;
  before: JsonValue | undefined;
  after: JsonValue | undefined;
}

/** Fields in which two values differ, in the order of the later one; lists are compared as wholes. */
export function changesBetween(before: JsonValue | undefined, after: JsonValue | undefined, field = ''): Change[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [{ field, before, after }];
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return names.flatMap((name) => changesBetween(before[name], after[name], field === '' ? name : `${field}.${name}`));
}

/** `check.interval: "10s" → "5s"`. */
export function changeText({ field, before, after }: Change): string {
  return `${field}: ${valueText(before)} → ${valueText(after)}`;
}

function valueText(value: JsonValue | undefined): string {
  return value === undefined ? '(none)' : JSON.stringify(value);
}

function isObject(value: JsonValue | undefined): value is { [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
