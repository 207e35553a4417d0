import { z } from 'zod';

/** Events of a page where the caller does not say, and at most. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/** Patterns in one query; each is a condition in the database. */
const MAX_TYPES = 64;

const oneText = z.string('must be given once').min(1, 'must not be empty');

function wholeNumber(bounds: { min: number; max: number }) {
  const message = `must be a whole number from ${bounds.min} to ${bounds.max}`;
  return z
    .string(message)
    .regex(/^\d{1,16}$/, message)
    .transform(Number)
    .refine((value) => value >= bounds.min && value <= bounds.max, message);
}

/** A position; 0 stands before the first event. */
const positionSchema = wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER });

const patternsSchema = z
  .array(
    z
      .string()
      .max(256)
      .regex(
        /^(?:[A-Za-z0-9_-]+|\*)(?:\.(?:[A-Za-z0-9_-]+|\*))*$/,
        'must be a type such as io.tocsin.node.offline; "*" stands for one segment or, as the last, for all that follow',
      ),
  )
  .max(MAX_TYPES, `must be at most ${MAX_TYPES} types`);

/** `type=a&type=b`, `type=a,b`: any of them. */
const typesSchema = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap((text) => text.split(',').map((part) => part.trim())))
  .pipe(patternsSchema);

const AFTER = { description: 'Only events behind this position' };

const filter = {
  after: positionSchema.optional().meta(AFTER),
  type: typesSchema.optional().meta({ description: 'Type patterns, any of which matches; commas between several' }),
  subject: oneText.max(1024).optional().meta({ description: 'Only events about this' }),
};

const momentSchema = z.iso.datetime({
  offset: true,
  error: 'must be a time such as 2030-01-01T00:00:00Z',
});

/** Query of `GET /v1/events`. */
export const listQuerySchema = z.strictObject({
  ...filter,
  after: positionSchema.default(0).meta(AFTER),
  before: positionSchema.optional().meta({ description: 'Only events before this position' }),
  since: momentSchema.optional().meta({ description: 'Only events recorded at or after this time' }),
  until: momentSchema.optional().meta({ description: 'Only events recorded before this time' }),
  order: z
    .enum(['asc', 'desc'], 'must be asc or desc')
    .default('asc')
    .meta({ description: 'By position: oldest first, or newest first' }),
  limit: wholeNumber({ min: 1, max: MAX_LIMIT }).default(DEFAULT_LIMIT).meta({ description: 'Events at most' }),
});
export type ListQuery = z.output<typeof listQuerySchema>;

/** Query of `GET /v1/events/stream`. */
export const streamQuerySchema = z.strictObject(filter);
export type StreamQuery = z.output<typeof streamQuerySchema>;

/** `Last-Event-ID`: the position a reader has seen; it wins over `after`, which stays in the URL of one that reconnects. */
export const lastEventIdSchema = positionSchema;

/** In a gRPC message what is empty was left out. */
const filterMessage = {
  types: patternsSchema.transform((types) => (types.length === 0 ? undefined : types)),
  subject: z
    .string()
    .max(1024)
    .transform((subject) => (subject === '' ? undefined : subject)),
};

/** `tocsin.v1.ReadRequest`. */
export const readMessageSchema = z.object({
  ...filterMessage,
  after: z.int().min(0),
  before: z
    .int()
    .min(0)
    .transform((before) => (before === 0 ? undefined : before)),
  backward: z.boolean().transform((backward) => (backward ? ('backward' as const) : ('forward' as const))),
  limit: z
    .int()
    .min(0)
    .max(MAX_LIMIT)
    .transform((limit) => (limit === 0 ? DEFAULT_LIMIT : limit)),
});

/** `tocsin.v1.TailRequest`. */
export const tailMessageSchema = z.object({ ...filterMessage, after: z.int().min(0).optional() });
