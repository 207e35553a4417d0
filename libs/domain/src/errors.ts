/**
 * Every error Tocsin shows to anybody, by its stable code. `retryable` means: the same request may succeed later, unchanged.
 * How a code maps to an HTTP or gRPC status is decided in `libs/platform` alone.
 */
export const ERROR_CATALOGUE = {
  TCN_INVALID: { retryable: false, title: 'The request is not valid' },
  TCN_MALFORMED: { retryable: false, title: 'The request body cannot be parsed' },
  TCN_UNAUTHENTICATED: { retryable: false, title: 'No valid API key was given' },
  TCN_FORBIDDEN: { retryable: false, title: 'The API key does not allow this' },
  TCN_NOT_FOUND: { retryable: false, title: 'There is no such thing' },
  TCN_METHOD_NOT_ALLOWED: { retryable: false, title: 'The resource does not take this method' },
  TCN_CONFLICT: { retryable: false, title: 'The request conflicts with the current state' },
  TCN_PRECONDITION_FAILED: { retryable: false, title: 'The resource has changed since it was read' },
  TCN_VERSION_CONFLICT: { retryable: false, title: 'The subject has moved on from the expected version' },
  TCN_KEY_REUSED: { retryable: false, title: 'The same source and id were recorded before with other content' },
  TCN_TOO_LARGE: { retryable: false, title: 'The request is larger than allowed' },
  TCN_UNSUPPORTED_MEDIA_TYPE: { retryable: false, title: 'The content type is not supported' },
  TCN_OVERLOADED: { retryable: true, title: 'More requests are waiting than can be held' },
  TCN_UNAVAILABLE: { retryable: true, title: 'A part this request needs is not available now' },
  TCN_FENCED: { retryable: true, title: 'Another writer has taken over the log' },
  TCN_TIMEOUT: { retryable: true, title: 'No answer came in time' },
  TCN_CONFIG: { retryable: false, title: 'The configuration is not valid' },
  TCN_PORT_IN_USE: { retryable: false, title: 'The port is already in use' },
  TCN_POSTGRES_UNREACHABLE: { retryable: true, title: 'Postgres cannot be reached' },
  TCN_POSTGRES_UNSUITABLE: { retryable: false, title: 'This Postgres cannot hold the log' },
  TCN_NATS_UNREACHABLE: { retryable: true, title: 'NATS cannot be reached' },
  TCN_NATS_UNSUITABLE: { retryable: false, title: 'This NATS server cannot carry the log' },
  TCN_SERVER_NOT_FOUND: { retryable: false, title: 'A server program that is needed was not found' },
  TCN_DATA_DIR: { retryable: false, title: 'The data directory cannot be used' },
  TCN_EGRESS_BLOCKED: { retryable: false, title: 'The egress policy does not allow this address' },
  TCN_SEAL_BROKEN: { retryable: false, title: 'A sealed secret cannot be opened with this master key' },
  TCN_LOG_DAMAGED: { retryable: false, title: 'The log does not verify' },
  TCN_INTERNAL: { retryable: false, title: 'Something went wrong inside Tocsin' },
} as const;

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** One fault in a request: where (an RFC 6901 JSON pointer into what was sent) and what was expected there. */
export interface Fault {
  /** JSON pointer, `''` for the whole. */
  pointer: string;
  /** What is wrong and what would be right, one sentence. */
  detail: string;
}

/** An error with a stable code. Decide by `code`, never by the text. */
export class TocsinError extends Error {
  readonly code: ErrorCode;
  /** Single faults, where the error is about what somebody sent. */
  readonly faults: readonly Fault[];
  /** Milliseconds after which a retry makes sense, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { cause?: unknown; faults?: readonly Fault[]; retryAfterMs?: number } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TocsinError';
    this.code = code;
    this.faults = options.faults ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }

  /** May the same request succeed later, unchanged? */
  get retryable(): boolean {
    return ERROR_CATALOGUE[this.code].retryable;
  }
}

/** True if `error` is a TocsinError, with one of `codes` where any are given. */
export function isTocsinError(error: unknown, ...codes: ErrorCode[]): error is TocsinError {
  return error instanceof TocsinError && (codes.length === 0 || codes.includes(error.code));
}
