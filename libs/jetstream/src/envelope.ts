import { ERROR_CATALOGUE, TocsinError, isTocsinError, type ErrorCode, type Fault } from '@tocsin/domain';
import { z } from 'zod';

const envelopeSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({
    ok: z.literal(false),
    error: z.object({
      code: z.string(),
      detail: z.string(),
      faults: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
      retryAfterMs: z.number().optional(),
    }),
  }),
]);

/** What goes over the wire for a value. */
export function sealValue(value: unknown): string {
  return JSON.stringify({ ok: true, value: value ?? null });
}

/** What goes over the wire for an error. Anything but a TocsinError is `TCN_INTERNAL` without its text: that is for the log. */
export function sealError(error: unknown): string {
  const shown = isTocsinError(error) ? error : new TocsinError('TCN_INTERNAL', 'the request could not be handled');
  return JSON.stringify({
    ok: false,
    error: {
      code: shown.code,
      detail: shown.message,
      ...(shown.faults.length === 0 ? {} : { faults: shown.faults }),
      ...(shown.retryAfterMs === undefined ? {} : { retryAfterMs: shown.retryAfterMs }),
    },
  });
}

/**
 * The value in a reply.
 * @throws TocsinError the one in the reply (`TCN_INTERNAL` for a code this version does not know, or for no envelope at all)
 */
export function openEnvelope(subject: string, bytes: Uint8Array): unknown {
  return openParsed(subject, parseJson(bytes));
}

/** {@link openEnvelope} of a reply that is parsed already. */
export function openParsed(subject: string, reply: unknown): unknown {
  const envelope = envelopeSchema.safeParse(reply).data;
  if (envelope === undefined) throw new TocsinError('TCN_INTERNAL', `the answer on ${subject} cannot be understood`);
  if (envelope.ok) return envelope.value;
  const { code, detail, faults, retryAfterMs } = envelope.error;
  throw new TocsinError(isErrorCode(code) ? code : 'TCN_INTERNAL', detail, {
    ...(faults === undefined ? {} : { faults: faults satisfies Fault[] }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The JSON in a message; undefined where it holds none. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, code);
}
