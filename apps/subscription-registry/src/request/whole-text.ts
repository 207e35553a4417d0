import { jsonPointer } from '@tocsin/contracts';
import { type Fault, TocsinError } from '@tocsin/domain';

/** Enough to mend a body by; a hostile one has thousands. */
const MOST_FAULTS = 20;
const DETAIL = 'holds U+0000 or half of a surrogate pair, which is no text';

/**
 * Refuses strings that JSON can carry but no database and hardly a receiver can hold. Once in the log, such a declaration could
 * never be projected.
 * @throws TocsinError `TCN_INVALID` with a fault for each
 */
export function requireWholeText(body: unknown, what: string): void {
  const faults: Fault[] = [];
  collect(body, [], faults);
  const [first] = faults;
  if (first !== undefined) throw new TocsinError('TCN_INVALID', `${what}: ${first.pointer}: ${DETAIL}`, { faults });
}

function collect(value: unknown, path: readonly PropertyKey[], faults: Fault[]): void {
  if (faults.length >= MOST_FAULTS) return;
  if (typeof value === 'string') {
    if (!isWhole(value)) faults.push({ pointer: jsonPointer(path), detail: DETAIL });
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) collect(item, [...path, index], faults);
  } else if (value !== null && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) {
      // The key itself cannot be pointed to: the pointer would carry what is refused.
      if (!isWhole(key)) faults.push({ pointer: jsonPointer(path), detail: `has a name that ${DETAIL}` });
      else collect(item, [...path, key], faults);
    }
  }
}

function isWhole(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}
