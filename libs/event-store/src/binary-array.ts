/**
 * Arrays as Postgres takes them in binary (`array_recv`): a header of dimension, flag "has nulls", element type, length and lower bound,
 * then each element after its length, -1 for NULL. The driver sends a Buffer as it is, so nothing is escaped here and parsed there.
 */

/** OIDs of element types, from the catalogue `pg_type`; they never change. */
const OID = { bytea: 17, int8: 20, int4: 23, text: 25, json: 114, timestamptz: 1184 } as const;

const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
/** Postgres counts time from 2000-01-01, in microseconds. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/** `text[]`, or `json[]` where the texts are JSON. They must be well-formed and without NUL. */
export function textArray(texts: readonly (string | null)[], type: 'text' | 'json' = 'text'): Buffer {
  let bytes = 0;
  for (const text of texts) bytes += LENGTH_BYTES + (text === null ? 0 : Buffer.byteLength(text));
  const array = arrayOf(texts.length, OID[type], bytes);
  let at = HEADER_BYTES;
  for (const text of texts) {
    const length = text === null ? 0 : array.write(text, at + LENGTH_BYTES, 'utf8');
    array.writeInt32BE(text === null ? NULL_LENGTH : length, at);
    at += LENGTH_BYTES + length;
  }
  return array;
}

/** `bytea[]` of hexadecimal texts. */
export function bytesArray(texts: readonly (string | null)[]): Buffer {
  let bytes = 0;
  for (const text of texts) bytes += LENGTH_BYTES + (text?.length ?? 0) / 2;
  const array = arrayOf(texts.length, OID.bytea, bytes);
  let at = HEADER_BYTES;
  for (const text of texts) {
    const length = text === null ? 0 : array.write(text, at + LENGTH_BYTES, 'hex');
    array.writeInt32BE(text === null ? NULL_LENGTH : length, at);
    at += LENGTH_BYTES + length;
  }
  return array;
}

/** `int[]`. */
export function intArray(numbers: readonly number[]): Buffer {
  const array = arrayOf(numbers.length, OID.int4, numbers.length * (LENGTH_BYTES + 4));
  let at = HEADER_BYTES;
  for (const number of numbers) at = array.writeInt32BE(number, array.writeInt32BE(4, at));
  return array;
}

/** `bigint[]`. */
export function longArray(numbers: readonly (number | null)[]): Buffer {
  const nulls = numbers.filter((number) => number === null).length;
  const array = arrayOf(numbers.length, OID.int8, numbers.length * LENGTH_BYTES + (numbers.length - nulls) * 8);
  let at = HEADER_BYTES;
  for (const number of numbers) {
    if (number === null) at = array.writeInt32BE(NULL_LENGTH, at);
    else at = array.writeBigInt64BE(BigInt(number), array.writeInt32BE(8, at));
  }
  return array;
}

/** `timestamptz[]` of milliseconds since 1970. */
export function timeArray(timesMs: readonly number[]): Buffer {
  const array = arrayOf(timesMs.length, OID.timestamptz, timesMs.length * (LENGTH_BYTES + 8));
  let at = HEADER_BYTES;
  for (const timeMs of timesMs) {
    // Microseconds of the year 9999 are more than a number holds exactly.
    const micros = BigInt(timeMs - POSTGRES_EPOCH_MS) * 1_000n;
    at = array.writeBigInt64BE(micros, array.writeInt32BE(8, at));
  }
  return array;
}

/** Room for the elements, after the header. An array without elements has no dimension, and no more header than that needs. */
function arrayOf(elements: number, type: number, bytes: number): Buffer {
  if (elements === 0) {
    const empty = Buffer.alloc(12);
    empty.writeInt32BE(type, 8);
    return empty;
  }
  const array = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(1, 4);
  array.writeInt32BE(type, 8);
  array.writeInt32BE(elements, 12);
  array.writeInt32BE(1, 16);
  return array;
}
