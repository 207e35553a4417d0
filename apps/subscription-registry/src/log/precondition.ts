import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { RegistryLog } from './registry-log.js';

/**
 * Times a change is worked out anew after somebody else wrote to its subject first. Health events of the same subject count as
 * such writes too, so that one retry alone could fail without any rival.
 */
const TRIES = 4;

/** On which revision a write depends (RFC 9110 § 13). */
export interface Precondition {
  /** Revisions one of which the thing must have; `*` = it must be there. */
  readonly ifMatch?: readonly number[] | '*';
  /** Revisions none of which the thing may have; `*` = it must not be there. */
  readonly ifNoneMatch?: readonly number[] | '*';
}

/**
 * @param revision of the thing now; undefined where there is none
 * @throws TocsinError `TCN_PRECONDITION_FAILED` saying how the thing stands
 */
export function checkPrecondition(precondition: Precondition, revision: number | undefined, subject: string): void {
  const { ifMatch, ifNoneMatch } = precondition;
  if (ifMatch !== undefined) {
    if (revision === undefined) {
      throw new TocsinError(
        'TCN_PRECONDITION_FAILED',
        `${subject} does not exist, and If-Match asks for one that does`,
      );
    }
    if (ifMatch !== '*' && !ifMatch.includes(revision)) {
      throw new TocsinError('TCN_PRECONDITION_FAILED', `${subject} is at revision ${revision} now; read it again`);
    }
  }
  if (ifNoneMatch !== undefined && revision !== undefined && (ifNoneMatch === '*' || ifNoneMatch.includes(revision))) {
    throw new TocsinError('TCN_PRECONDITION_FAILED', `${subject} exists already, at revision ${revision}`);
  }
}

/**
 * Runs `attempt`, which reads the projection, decides and appends; anew on what is true then if a rival appended first. A condition
 * on the revision is thereby checked again, and fails if the rival changed it.
 */
export async function onCurrentState<T>(
  log: Pick<RegistryLog, 'catchUp'>,
  attempt: () => Promise<T>,
  tries = TRIES,
): Promise<T> {
  for (let left = tries - 1; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || !isTocsinError(error, 'TCN_VERSION_CONFLICT')) throw error;
      await log.catchUp();
    }
  }
}
