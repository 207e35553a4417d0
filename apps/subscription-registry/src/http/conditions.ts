import type { Precondition } from '../log/precondition.js';
import { faultAt } from '../request/fault.js';

const TAG = /^(W\/)?"([\x21\x23-\x7e]*)"$/;

/** The entity tag of a revision. */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/**
 * Reads `If-Match` and `If-None-Match` (RFC 9110 § 13.1).
 * @throws TocsinError `TCN_INVALID` for what is no list of entity tags
 */
export function preconditionOf(headers: { ifMatch?: string; ifNoneMatch?: string }): Precondition {
  return {
    // If-Match compares strongly: a weak tag matches nothing.
    ...(headers.ifMatch === undefined ? {} : { ifMatch: revisionsOf('If-Match', headers.ifMatch, false) }),
    ...(headers.ifNoneMatch === undefined
      ? {}
      : { ifNoneMatch: revisionsOf('If-None-Match', headers.ifNoneMatch, true) }),
  };
}

/** A tag that this service never gave is kept as a revision that nothing has. */
const NO_REVISION = -1;

function revisionsOf(header: string, text: string, weakCounts: boolean): readonly number[] | '*' {
  if (text.trim() === '*') return '*';
  return text.split(',').map((part) => {
    const match = TAG.exec(part.trim());
    if (match === null) {
      throw faultAt('TCN_INVALID', header, '', 'must be "*" or entity tags in quotes, as ETag gave them');
    }
    const [, weak, value = ''] = match;
    return /^\d{1,15}$/.test(value) && (weak === undefined || weakCounts) ? Number(value) : NO_REVISION;
  });
}
