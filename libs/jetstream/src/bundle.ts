import { TocsinError } from '@tocsin/domain';
import { z } from 'zod';
import { openParsed, parseJson } from './envelope.js';
import type { TraceCarrier } from './trace-headers.js';

/** Far more than anybody puts into one message. */
const MOST_ANSWERED = 1_000;

/** Requests that travel in one message, each with the trace context of whoever made it. */
const bundleSchema = z
  .array(z.object({ payload: z.unknown(), trace: z.record(z.string(), z.string()).optional() }))
  .min(1)
  .max(MOST_ANSWERED);
export type BundledRequest = z.infer<typeof bundleSchema>[number];

/** Where whoever serves `subject` takes several of its requests in one message. */
export function bundleSubject(subject: string): string {
  return `${subject}.bundle`;
}

/** A request as a bundle holds it. @param payload JSON */
export function sealRequest(payload: string, trace: TraceCarrier | undefined): string {
  return trace === undefined ? `{"payload":${payload}}` : `{"payload":${payload},"trace":${JSON.stringify(trace)}}`;
}

/** A message of what was sealed one by one: requests, or their answers in the same order. */
export function sealBundle(sealed: readonly string[]): string {
  return `[${sealed.join(',')}]`;
}

/** The requests in a message; undefined where it is no bundle. */
export function openBundle(bytes: Uint8Array): readonly BundledRequest[] | undefined {
  return bundleSchema.safeParse(parseJson(bytes)).data;
}

/**
 * The answers in a message, each for {@link openParsed}.
 * @throws TocsinError the one that was answered to the bundle as a whole; `TCN_INTERNAL` for anything but `count` answers
 */
export function openAnswers(subject: string, bytes: Uint8Array, count: number): unknown[] {
  const answers = parseJson(bytes);
  if (Array.isArray(answers) && answers.length === count) return answers;
  openParsed(subject, answers);
  throw new TocsinError('TCN_INTERNAL', `not every request on ${subject} was answered`);
}
