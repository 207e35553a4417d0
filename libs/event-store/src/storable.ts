import { TocsinError } from '@tocsin/domain';

const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** Postgres stores neither NUL nor half a character, so nothing recorded can have such text. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/** @throws TocsinError `TCN_INVALID` where a filter holds text that nothing recorded can have */
export function requireStorable(pointer: string, text: string | undefined): void {
  if (text !== undefined && !isStorable(text)) throw invalid(pointer, 'must be well-formed Unicode without NUL');
}

/** @throws TocsinError `TCN_INVALID` if the text is empty, cannot be stored, or has more than `maxBytes` in UTF-8 */
export function requireText(text: string, pointer: string, maxBytes = Number.MAX_SAFE_INTEGER): void {
  if (typeof text !== 'string' || text === '') throw invalid(pointer, 'must be a string that is not empty');
  requireStorable(pointer, text);
  // No character has more than three bytes per UTF-16 unit, so nearly every text need not be counted.
  if (3 * text.length > maxBytes && Buffer.byteLength(text) > maxBytes)
    throw invalid(pointer, `must be at most ${Math.max(0, maxBytes)} bytes`);
}

/**
 * The log keeps milliseconds and UTC; the same instant spelled otherwise is the same content.
 * @throws TocsinError `TCN_INVALID` if it is no time, or one outside the years 1 to 9999 that RFC 3339 and Postgres share
 */
export function normalTime(text: string, pointer: string): { text: string; ms: number } {
  const ms = Date.parse(text);
  if (!(ms >= FIRST_MS && ms <= LAST_MS)) throw invalid(pointer, 'must be an RFC 3339 time');
  return { text: new Date(ms).toISOString(), ms };
}

/** The error for one fault at one place of a request. */
export function invalid(pointer: string, expectation: string): TocsinError {
  return new TocsinError('TCN_INVALID', `${pointer} ${expectation}`, { faults: [{ pointer, detail: expectation }] });
}
