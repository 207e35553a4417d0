import { Metadata } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';

/** A failure of a call as the platform's filter gives it to the transport. */
export interface CallFailure {
  readonly code: number;
  readonly details: string;
  /** Stable code of the error, `TCN_…`. */
  readonly reason?: string;
  readonly faults?: readonly { readonly pointer: string; readonly detail: string }[];
  readonly retryAfterMs?: number | undefined;
}

/** Who gives the reasons (google.rpc.ErrorInfo). */
const DOMAIN = 'tocsin';

/** google.rpc.Status stands under this name beside a call's status (https://grpc.io/docs/guides/error/#richer-error-model). */
const TRAILER = 'grpc-status-details-bin';

/** HTTP/2 peers take 8 KiB of headers by default; beyond so many the first are enough to begin with. */
const MOST_FAULTS = 32;

/**
 * What says more than a status can: the stable code, every field at fault, when to come back, as `google.rpc.ErrorInfo`, `BadRequest` and
 * `RetryInfo`.
 */
export function statusDetails({ code, details, reason, faults = [], retryAfterMs }: CallFailure): Metadata {
  const any = (type: string, value: protobuf.Writer) =>
    new protobuf.Writer()
      .uint32(tag(1))
      .string(`type.googleapis.com/google.rpc.${type}`)
      .uint32(tag(2))
      .bytes(value.finish());
  const parts: protobuf.Writer[] = [];
  if (reason !== undefined) {
    parts.push(any('ErrorInfo', new protobuf.Writer().uint32(tag(1)).string(reason).uint32(tag(2)).string(DOMAIN)));
  }
  if (faults.length > 0) {
    const violations = new protobuf.Writer();
    for (const { pointer, detail } of faults.slice(0, MOST_FAULTS)) {
      violations.uint32(tag(1)).fork().uint32(tag(1)).string(pointer).uint32(tag(2)).string(detail).ldelim();
    }
    parts.push(any('BadRequest', violations));
  }
  if (retryAfterMs !== undefined) {
    const seconds = Math.floor(retryAfterMs / 1000);
    const nanos = Math.round((retryAfterMs - seconds * 1000) * 1e6);
    const delay = new protobuf.Writer().uint32(8).int64(seconds).uint32(16).int32(nanos);
    parts.push(any('RetryInfo', new protobuf.Writer().uint32(tag(1)).bytes(delay.finish())));
  }
  const status = new protobuf.Writer().uint32(8).int32(code).uint32(tag(2)).string(details);
  for (const part of parts) status.uint32(tag(3)).bytes(part.finish());
  const metadata = new Metadata();
  metadata.set(TRAILER, Buffer.from(status.finish()));
  return metadata;
}

/** Field number and wire type 2: text, bytes or a message. */
function tag(field: number): number {
  return (field << 3) | 2;
}
