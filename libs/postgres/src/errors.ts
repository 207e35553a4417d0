import { TocsinError, isTocsinError } from '@tocsin/domain';
import { DatabaseError } from 'pg';
import { QueryFailedError, QueryRunnerAlreadyReleasedError } from 'typeorm';

/** SQLSTATEs Tocsin decides by (PostgreSQL manual, appendix A). */
export const SQLSTATE = {
  uniqueViolation: '23505',
  foreignKeyViolation: '23503',
  checkViolation: '23514',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  insufficientPrivilege: '42501',
  duplicateObject: '42710',
  undefinedObject: '42704',
  undefinedTable: '42P01',
  objectNotInPrerequisiteState: '55000',
  lockNotAvailable: '55P03',
  internalError: 'XX000',
} as const;

/** States in which the server gives a connection up or takes none; a later attempt may succeed unchanged. */
const LOSS_STATES = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now: starting up, shutting down, recovering
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '53300', // too_many_connections
  '25006', // read_only_sql_transaction: connected to a server that has become a standby
]);

/** The SQLSTATE of a statement that the server refused; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  const origin = driverError(error);
  return origin instanceof DatabaseError ? origin.code : undefined;
}

/** Did a unique index refuse the statement? */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlState(error) !== SQLSTATE.uniqueViolation) return false;
  return constraint === undefined || constraintOf(error) === constraint;
}

/** Name of the constraint that refused the statement, where one did. */
export function constraintOf(error: unknown): string | undefined {
  const origin = driverError(error);
  return origin instanceof DatabaseError ? origin.constraint : undefined;
}

/** Did the statement lose against a concurrent transaction (serialization failure, deadlock)? Repeating the transaction helps. */
export function isConcurrencyFailure(error: unknown): boolean {
  const state = sqlState(error);
  return state === SQLSTATE.serializationFailure || state === SQLSTATE.deadlockDetected;
}

/** Was the connection lost, or could none be had? Then it is unknown whether the statement (a COMMIT, say) took effect. */
export function isConnectionLoss(error: unknown): boolean {
  if (isTocsinError(error)) return isTocsinError(error, 'TCN_UNAVAILABLE', 'TCN_POSTGRES_UNREACHABLE');
  if (error instanceof QueryFailedError || error instanceof DatabaseError) return isDriverLoss(error);
  return error instanceof QueryRunnerAlreadyReleasedError;
}

/**
 * The same question about an error that is known to come from the driver.
 *
 * The driver gives most of these errors no code of their own, so the shape decides: either the server said that it gives up, or
 * the operating system reported an error, or a plain `Error` came without any answer of the server. What the caller did wrong
 * (parameters that cannot be encoded, values that cannot be decoded) is a `TypeError`, `RangeError` or `SyntaxError` and no loss.
 */
export function isDriverLoss(error: unknown): boolean {
  const origin = driverError(error);
  if (origin instanceof DatabaseError) {
    const state = origin.code ?? '';
    return state.startsWith('08') || LOSS_STATES.has(state);
  }
  if (origin instanceof QueryRunnerAlreadyReleasedError || origin instanceof AggregateError) return true;
  return origin instanceof Error && origin.constructor === Error;
}

/** What a driver's error becomes for callers: `TCN_UNAVAILABLE` after a loss, else the server's own error with its SQLSTATE. */
export function translate(error: unknown): unknown {
  if (isTocsinError(error)) return error;
  const origin = driverError(error);
  if (!isDriverLoss(origin)) return origin;
  return new TocsinError('TCN_UNAVAILABLE', 'the connection to Postgres was lost, or none could be had', {
    cause: origin,
  });
}

function driverError(error: unknown): unknown {
  if (error instanceof QueryFailedError) return error.driverError;
  if (error instanceof TocsinError && error.cause !== undefined) return driverError(error.cause);
  return error;
}
