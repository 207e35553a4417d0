import { labelsSchema, nameSchema, overlaySchema } from '@tocsin/contracts';
import { z } from 'zod';

const USUAL_LIMIT = 100;
const HIGHEST_LIMIT = 1_000;

const limitSchema = z.coerce
  .number({ error: `must be a number from 1 to ${HIGHEST_LIMIT}` })
  .int()
  .min(1)
  .max(HIGHEST_LIMIT)
  .default(USUAL_LIMIT)
  .meta({ description: 'Items at most' });

const selectorSchema = z
  .string('must be given once')
  .max(8192)
  .transform((text, context) => {
    const pairs: [string, string][] = [];
    for (const pair of text.split(',')) {
      const equals = pair.indexOf('=');
      if (equals > 0) pairs.push([pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()]);
      else
        context.addIssue({ code: 'custom', message: `"${pair}" must be name=value; several are separated by commas` });
    }
    return Object.fromEntries(pairs);
  })
  .pipe(labelsSchema)
  .default({})
  .meta({ description: 'Labels a target must have, all of them', examples: ['site=fra,role=edge'] });

/** Query of a call that takes none. */
export const noQuerySchema = z.strictObject({});

/** Query of `GET /v1/fleet`. */
export const fleetQuerySchema = z.strictObject({
  limit: limitSchema,
  cursor: z
    .string('must be given once')
    .max(512)
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString())
    .refine((name) => nameSchema.safeParse(name).success, 'must be `next` as an earlier part of the list gave it')
    .default('')
    .meta({ description: '`next` of the part before' }),
  labels: selectorSchema,
  at: z.iso
    .datetime({ offset: true, error: 'must be a time such as 2030-01-01T00:00:00Z' })
    .optional()
    .meta({ description: 'The moment to show; now if left out' }),
});
export type FleetParams = z.output<typeof fleetQuerySchema>;

/** Query of `GET /v1/withheld`. */
export const withheldQuerySchema = z.strictObject({
  limit: limitSchema,
  before: z.coerce
    .number({ error: 'must be a position' })
    .int()
    .min(1)
    .optional()
    .meta({ description: '`next` of the part before: only events before this position' }),
  subject: z
    .string('must be given once')
    .min(1)
    .max(1024)
    .optional()
    .meta({ description: 'Only changes of this target', examples: ['node/edge-fra-17'] }),
  because: overlaySchema.optional().meta({ description: 'Only what this kept back' }),
  state: z.enum(['held', 'released']).optional().meta({ description: 'Only what is held still, or is not any more' }),
  labels: selectorSchema,
});
export type WithheldParams = z.output<typeof withheldQuerySchema>;
