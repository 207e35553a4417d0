import { randomBytes } from 'node:crypto';

/**
 * A UUID version 7 (RFC 9562 § 5.7): 48 bits of milliseconds, then random bits. Sorts by time.
 * @param nowMs wall-clock time in milliseconds since 1970
 * @param random 10 random bytes; fresh ones if left out
 */
export function uuidv7(nowMs: number, random: Uint8Array = randomBytes(10)): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = 0x70 | (bytes.readUInt8(6) & 0x0f);
  bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** What an id names; it stands before the `_`. */
export type IdPrefix = 'evt' | 'ep' | 'dlv' | 'att' | 'obs' | 'rev';

/** An id that says what it names and sorts by time: `evt_0198…`. */
export function newId(prefix: IdPrefix, nowMs: number): string {
  return `${prefix}_${uuidv7(nowMs)}`;
}
