import { type ErrorCode, type Fault, TocsinError } from '@tocsin/domain';

/** An error about one place in what was sent. */
export function faultAt(code: ErrorCode, what: string, pointer: string, detail: string): TocsinError {
  const fault: Fault = { pointer, detail };
  return new TocsinError(code, `${what}: ${pointer}: ${detail}`, { faults: [fault] });
}
