import { jsonPointer } from '@tocsin/contracts';
import { type Fault, TocsinError } from '@tocsin/domain';
import { type ApplyStep, MOST_FAULTS } from './apply-step.js';

/**
 * Refuses an apply that is not what was planned: a thing of the plan is at another revision by now, or something else would change.
 * @param expect revision of each thing the plan was about; 0: it was not there
 * @throws TocsinError `TCN_PRECONDITION_FAILED` with a fault for each difference
 */
export function requirePlanned(steps: readonly ApplyStep[], expect: Readonly<Record<string, number>>): void {
  const bySubject = new Map(steps.map((step) => [step.subject, step]));
  const faults: Fault[] = Object.entries(expect).flatMap(([subject, planned]) => {
    const step = bySubject.get(subject);
    // What is neither declared nor this owner's any more is not looked at: it was to be deleted.
    if (step === undefined)
      return [faultAt(subject, `was to be deleted, and is not there or not this owner’s any more`)];
    return step.revision === planned
      ? []
      : [faultAt(subject, `${stands(step.revision)}, and ${was(planned)} when it was planned`)];
  });
  for (const { subject, outcome, revision } of steps) {
    if (outcome === 'unchanged' || expect[subject] !== undefined) continue;
    faults.push(faultAt(subject, `would be ${outcome}, which was not planned: it ${stands(revision)}`));
  }
  const [first] = faults;
  if (first === undefined) return;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  const message = `nothing was applied, because it is not as it was planned: ${first.detail}${more}; plan again`;
  throw new TocsinError('TCN_PRECONDITION_FAILED', message, { faults: faults.slice(0, MOST_FAULTS) });
}

function faultAt(subject: string, detail: string): Fault {
  return { pointer: jsonPointer(['expect', subject]), detail: `${subject} ${detail}` };
}

function stands(revision: number): string {
  return revision === 0 ? 'is not there now' : `is at revision ${revision} now`;
}

function was(planned: number): string {
  return planned === 0 ? 'was not there' : `was at ${planned}`;
}
