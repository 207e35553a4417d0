import type { ApiAnswer } from '@tocsin/platform';
import { z } from 'zod';

/** Headers of a write that may depend on what was read. */
export const CONDITIONAL = {
  'If-Match': 'Entity tag that the thing must have, or `*`: it must be there',
  'If-None-Match': '`*`: it must not be there yet',
};

/** Header of a write that is sent again until it is answered. */
export const ONCE = {
  'Idempotency-Key': 'One effect however often it is sent; a repeat within 24 h is answered as the first was',
};

/** Headers of an answer that shows one thing. */
export const TAGGED = { ETag: 'Revision of the thing, for `If-Match`' };

/** A page of things. */
export function pageSchema(item: z.ZodType): z.ZodType {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: 'Cursor of the next page; null at the end' }),
  });
}

/** Answers of a PUT. */
export function putAnswers(schema: z.ZodType, created: string): Record<number, ApiAnswer> {
  return {
    200: { description: 'Replaced, or as it was; with `dryRun`: how it would be', schema, headers: TAGGED },
    201: { description: created, schema, headers: { ...TAGGED, Location: 'Where it is now' } },
  };
}

/** Answer of a DELETE. */
export const GONE: Record<number, ApiAnswer> = { 204: { description: 'It is gone, or with `dryRun` would be' } };
