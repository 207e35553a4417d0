import { z } from 'zod';

/** Query parameters of a write. */
export const writeQuerySchema = z.strictObject({
  dryRun: z
    .enum(['true', 'false'], 'must be true or false')
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description: 'Check everything and say what would be, without recording it' }),
});
export type WriteQuery = z.infer<typeof writeQuerySchema>;

/** Calls that take no query refuse one: `?dryRun=true` must not be ignored by a call that then writes. */
export const noQuerySchema = z.strictObject({});

/** Header of the answer to a dry run: `created`, `updated` or `unchanged`. */
export const DRY_RUN_HEADER = 'tocsin-dry-run';
