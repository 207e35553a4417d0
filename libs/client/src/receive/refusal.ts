import { type ErrorCode, TocsinError } from '@tocsin/domain';

/**
 * Why a request is not taken, with the status that says so. The statuses are chosen by what Tocsin does with them: what somebody may
 * mend (a secret, a body parser, a clock) is tried again over days, what no repetition can heal is not.
 */
const REFUSALS = {
  'not-post': { status: 405, code: 'TCN_METHOD_NOT_ALLOWED' },
  /** Not one of the three headers of Standard Webhooks may be missing or malformed. */
  'header-missing': { status: 400, code: 'TCN_INVALID' },
  'signature-wrong': { status: 401, code: 'TCN_UNAUTHENTICATED' },
  /** Signed too long ago, or too far in the future: sent again by somebody, or one of the clocks is wrong. */
  'timestamp-outside': { status: 401, code: 'TCN_UNAUTHENTICATED' },
  'too-large': { status: 413, code: 'TCN_TOO_LARGE' },
  /** Signed by Tocsin, but in another format than that of structured CloudEvents. */
  'no-event': { status: 422, code: 'TCN_MALFORMED' },
  /** A parser has taken the bytes that were signed: the receiver's own mistake, so the delivery must not be lost by it. */
  'body-consumed': { status: 500, code: 'TCN_INTERNAL' },
} as const satisfies Record<string, { status: number; code: ErrorCode }>;

export type RefusalReason = keyof typeof REFUSALS;

/** A request that is not taken. Decide by `reason`. */
export class DeliveryRefused extends TocsinError {
  readonly status: number;

  constructor(
    readonly reason: RefusalReason,
    detail: string,
    options: { cause?: unknown } = {},
  ) {
    super(REFUSALS[reason].code, detail, options);
    this.name = 'DeliveryRefused';
    this.status = REFUSALS[reason].status;
  }
}
