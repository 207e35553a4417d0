import type { ErrorCode } from '@tocsin/domain';

/** gRPC status codes (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export const GRPC_STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type GrpcStatusName = keyof typeof GRPC_STATUS;

/** How an error code looks from outside. */
export interface ErrorStatus {
  http: number;
  grpc: GrpcStatusName;
  /** True if the detail was written for the caller. Otherwise it may name hosts and paths of the installation: log only. */
  shown: boolean;
}

/** The one mapping of the error catalogue to HTTP (RFC 9110 § 15) and gRPC. */
export const ERROR_STATUS: Readonly<Record<ErrorCode, ErrorStatus>> = {
  TCN_INVALID: { http: 422, grpc: 'INVALID_ARGUMENT', shown: true },
  TCN_MALFORMED: { http: 400, grpc: 'INVALID_ARGUMENT', shown: true },
  TCN_UNAUTHENTICATED: { http: 401, grpc: 'UNAUTHENTICATED', shown: true },
  TCN_FORBIDDEN: { http: 403, grpc: 'PERMISSION_DENIED', shown: true },
  TCN_NOT_FOUND: { http: 404, grpc: 'NOT_FOUND', shown: true },
  TCN_METHOD_NOT_ALLOWED: { http: 405, grpc: 'UNIMPLEMENTED', shown: true },
  TCN_CONFLICT: { http: 409, grpc: 'FAILED_PRECONDITION', shown: true },
  TCN_PRECONDITION_FAILED: { http: 412, grpc: 'FAILED_PRECONDITION', shown: true },
  TCN_VERSION_CONFLICT: { http: 409, grpc: 'ABORTED', shown: true },
  TCN_KEY_REUSED: { http: 409, grpc: 'ALREADY_EXISTS', shown: true },
  TCN_TOO_LARGE: { http: 413, grpc: 'OUT_OF_RANGE', shown: true },
  TCN_UNSUPPORTED_MEDIA_TYPE: { http: 415, grpc: 'INVALID_ARGUMENT', shown: true },
  TCN_OVERLOADED: { http: 429, grpc: 'RESOURCE_EXHAUSTED', shown: true },
  TCN_UNAVAILABLE: { http: 503, grpc: 'UNAVAILABLE', shown: true },
  TCN_FENCED: { http: 503, grpc: 'UNAVAILABLE', shown: true },
  TCN_TIMEOUT: { http: 504, grpc: 'DEADLINE_EXCEEDED', shown: true },
  TCN_CONFIG: { http: 500, grpc: 'INTERNAL', shown: false },
  TCN_PORT_IN_USE: { http: 500, grpc: 'INTERNAL', shown: false },
  TCN_POSTGRES_UNREACHABLE: { http: 503, grpc: 'UNAVAILABLE', shown: false },
  TCN_POSTGRES_UNSUITABLE: { http: 500, grpc: 'INTERNAL', shown: false },
  TCN_NATS_UNREACHABLE: { http: 503, grpc: 'UNAVAILABLE', shown: false },
  TCN_NATS_UNSUITABLE: { http: 500, grpc: 'INTERNAL', shown: false },
  TCN_SERVER_NOT_FOUND: { http: 500, grpc: 'INTERNAL', shown: false },
  TCN_DATA_DIR: { http: 500, grpc: 'INTERNAL', shown: false },
  TCN_EGRESS_BLOCKED: { http: 422, grpc: 'INVALID_ARGUMENT', shown: true },
  TCN_SEAL_BROKEN: { http: 500, grpc: 'INTERNAL', shown: false },
  TCN_LOG_DAMAGED: { http: 500, grpc: 'DATA_LOSS', shown: false },
  TCN_INTERNAL: { http: 500, grpc: 'INTERNAL', shown: false },
};

const CODE_OF_HTTP_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'TCN_MALFORMED',
  401: 'TCN_UNAUTHENTICATED',
  403: 'TCN_FORBIDDEN',
  404: 'TCN_NOT_FOUND',
  405: 'TCN_METHOD_NOT_ALLOWED',
  408: 'TCN_TIMEOUT',
  409: 'TCN_CONFLICT',
  412: 'TCN_PRECONDITION_FAILED',
  413: 'TCN_TOO_LARGE',
  415: 'TCN_UNSUPPORTED_MEDIA_TYPE',
  422: 'TCN_INVALID',
  429: 'TCN_OVERLOADED',
  503: 'TCN_UNAVAILABLE',
  504: 'TCN_TIMEOUT',
};

/** The code for an error of the framework that only has an HTTP status. */
export function codeOfHttpStatus(status: number): ErrorCode {
  return CODE_OF_HTTP_STATUS[status] ?? (status >= 400 && status < 500 ? 'TCN_MALFORMED' : 'TCN_INTERNAL');
}
