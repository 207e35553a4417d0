import { types, type CustomTypesConfig } from 'pg';

type Oid = Parameters<typeof types.getTypeParser>[0];
type TextParser = (text: string) => unknown;

const INT8: Oid = 20;
/** The driver knows this array's parser, its type declarations don't. */
const INT8_ARRAY = 1016 as Oid;
const TIMESTAMPTZ: Oid = 1184;

const parseTextArray = types.getTypeParser(INT8_ARRAY) as (text: string) => (string | null)[];

const OWN_PARSERS = new Map<Oid, TextParser>([
  [INT8, parseInt8],
  [INT8_ARRAY, (text) => parseTextArray(text).map((each) => (each === null ? null : parseInt8(each)))],
  [TIMESTAMPTZ, parseTimestamptz],
]);

/**
 * How values come back: `int8` as number (an error beyond 2^53), `timestamptz` as RFC 3339 string in UTC with milliseconds (the form
 * of every time in Tocsin), `json` and `jsonb` parsed, the rest as `pg` does it.
 */
export const TYPE_PARSERS: CustomTypesConfig = {
  getTypeParser(oid, format): TextParser {
    const own = format === 'binary' ? undefined : OWN_PARSERS.get(oid);
    return own ?? (types.getTypeParser(oid, format) as TextParser);
  },
};

function parseInt8(text: string): number {
  const value = Number(text);
  // Positions and counters stay far below 2^53; a number that JavaScript would round must not pass unnoticed.
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 value ${text} does not fit a JavaScript number exactly`);
  return value;
}

/** Postgres has microseconds, Tocsin's times milliseconds: what is below is cut off, as `Date` does. */
function parseTimestamptz(text: string): string {
  const at = Date.parse(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
  return Number.isNaN(at) ? text : new Date(at).toISOString();
}
