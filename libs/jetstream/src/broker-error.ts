import { TocsinError, isTocsinError } from '@tocsin/domain';
import { JetStreamApiError } from '@nats-io/jetstream';
import { TimeoutError } from '@nats-io/transport-node';

/** Error numbers of the JetStream API (nats-server `server/errors.json`). */
export const API_ERROR = {
  streamNotFound: 10059,
  streamNameInUse: 10058,
  consumerNotFound: 10014,
  wrongLastSequence: 10071,
  noMessageFound: 10037,
} as const;

/** Did the server answer with this error number? */
export function isApiError(error: unknown, number: number): boolean {
  return error instanceof JetStreamApiError && error.code === number;
}

/** What went wrong between us and the server, as a TocsinError; `doing` completes "could not …". */
export function brokerError(doing: string, error: unknown): TocsinError {
  if (isTocsinError(error)) return error;
  if (error instanceof TimeoutError) {
    return new TocsinError('TCN_TIMEOUT', `NATS: could not ${doing}: no answer in time`, { cause: error });
  }
  const why = error instanceof Error ? error.message : String(error);
  return new TocsinError('TCN_UNAVAILABLE', `NATS: could not ${doing}: ${why}`, { cause: error });
}
