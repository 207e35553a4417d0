import { type Fault, TocsinError } from '@tocsin/domain';
import { jsonPointer } from './problem.js';

/** Enough to mend a body by; a hostile one has thousands. */
const MOST_FAULTS = 20;
const DETAIL = 'holds U+0000 or half of a surrogate pair, which is no text';
const NAME_DETAIL = 'has a name with U+0000 or half of a surrogate pair, which is no text';

// What may stand for such a character in JSON; the walk decides whether it does.
const SUSPICIOUS = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/**
 * Faults, 20 at most, for strings that are no text: U+0000 and halves of surrogate pairs. JSON can carry them, but neither Postgres nor
 * many a receiver can hold them, and I-JSON (RFC 7493 § 2.1) excludes the latter: once in the log, they could never be projected.
 * @param value of JSON; nested no deeper than the stack takes
 * @param json `value` as `JSON.stringify` gives it, where it is at hand: most texts need no walk then
 */
export function brokenText(value: unknown, json?: string): Fault[] {
  const faults: Fault[] = [];
  if (json === undefined || SUSPICIOUS.test(json)) collect(value, [], faults);
  return faults;
}

/**
 * Refuses what {@link brokenText} finds.
 * @throws TocsinError `TCN_INVALID` with a fault for each
 */
export function requireWholeText(body: unknown, what: string): void {
  const faults = brokenText(body);
  const [first] = faults;
  if (first !== undefined)
    throw new TocsinError('TCN_INVALID', `${what}: ${first.pointer}: ${first.detail}`, { faults });
}

function collect(value: unknown, path: PropertyKey[], faults: Fault[]): void {
  if (faults.length >= MOST_FAULTS) return;
  if (typeof value === 'string') {
    if (!isWhole(value)) faults.push({ pointer: jsonPointer(path), detail: DETAIL });
  } else if (value !== null && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) {
      // The name itself cannot be pointed to: the pointer would carry what is refused.
      if (!isWhole(key)) {
        faults.push({ pointer: jsonPointer(path), detail: NAME_DETAIL });
        continue;
      }
      path.push(key);
      collect(item, path, faults);
      path.pop();
    }
  }
}

function isWhole(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}
