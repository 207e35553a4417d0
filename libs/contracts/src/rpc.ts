import type { JsonValue } from '@tocsin/domain';
import { z } from 'zod';

/** NATS subjects of request/reply between services. Payloads and replies are JSON. */
export const RPC = {
  /** Append events; answered by the append leader only. */
  logAppend: 'tocsin.rpc.log.append',
  /** Append more than one message holds, in parts; answered by the append leader only. */
  logAppendPart: 'tocsin.rpc.log.append-part',
  /** Read events by position, forward. */
  logRead: 'tocsin.rpc.log.read',
  /** The newest event of each of some subjects. */
  logLatest: 'tocsin.rpc.log.latest',
  /** Sealed destination of a subscription. */
  registrySealed: 'tocsin.rpc.registry.sealed',
} as const;

/** Names of JetStream things. */
export const JETSTREAM = {
  /** The relayed log: sequence ≡ position. */
  eventsStream: 'EVENTS',
  /** `tocsin.events.<type without io.tocsin, or the whole type>.<encoded name>`. */
  eventsPrefix: 'tocsin.events',
  /** The same for what is told to nobody, in the same stream: who consumes `tocsin.events.>` never sees it. */
  withheldPrefix: 'tocsin.withheld',
  /** KV bucket of what observers watch: key = encoded target name, value = WatchedTarget. */
  targetsBucket: 'tocsin_targets',
} as const;

/** Any JSON. Requests and replies between services are parsed JSON already; walking it once more would cost more than all the rest. */
export const jsonSchema = z.custom<JsonValue>();

export const eventToAppendSchema = z.object({
  id: z.string().min(1).max(256),
  source: z.string().min(1).max(1024),
  type: z.string().min(1).max(256),
  subject: z.string().min(1).max(1024),
  time: z.string(),
  extensions: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  datacontenttype: z.string().optional(),
  dataschema: z.string().optional(),
  data: jsonSchema.optional(),
});

/** One append: all its events or none. */
export const appendRequestSchema = z.object({
  events: z.array(eventToAppendSchema).min(1).max(1000),
  /** Version each named subject must be at before the append (0 = must not exist). Subjects not named are not checked. */
  expect: z.record(z.string(), z.int().min(0)).optional(),
});
export type AppendRequest = z.infer<typeof appendRequestSchema>;

/** Where an event of an append stands now. */
export const appendedSchema = z.object({
  id: z.string(),
  position: z.int(),
  version: z.int(),
  recordedAt: z.string(),
  /** True if the event was there already: the position is the first one's. */
  repeated: z.boolean(),
});
export type Appended = z.infer<typeof appendedSchema>;
export const appendReplySchema = z.object({ events: z.array(appendedSchema) });

/** A part of one append that is larger than a message: with the last of them all events are appended, or none. */
export const appendPartSchema = appendRequestSchema.extend({
  /** Names the append: the same for all of its parts, and for a repeat. */
  gathering: z.string().min(1).max(256),
  part: z.int().min(0).max(999),
  parts: z.int().min(1).max(1000),
});
export type AppendPart = z.infer<typeof appendPartSchema>;
/** `position`: of the last event, once all parts are here and recorded; absent while some are missing. */
export const appendPartReplySchema = z.object({ position: z.int().min(1).optional() });

export const readRequestSchema = z.object({
  /** Events with a position greater than this. 0 = from the start. */
  after: z.int().min(0),
  limit: z.int().min(1).max(1000),
  /** Type patterns, any of which matches. */
  types: z.array(z.string()).optional(),
  subject: z.string().optional(),
});
export type ReadRequest = z.infer<typeof readRequestSchema>;
/** Structured CloudEvents in order of position. `next` = position to read after next; `head` = last position of the log. */
export const readReplySchema = z.object({
  events: z.array(z.record(z.string(), jsonSchema)),
  next: z.int(),
  head: z.int(),
});

export const latestRequestSchema = z.object({
  subjects: z.array(z.string()).min(1).max(5000),
  /** Only events of these types (exact); all types if left out. */
  types: z.array(z.string()).optional(),
  /** Only events of this source; all sources if left out. */
  source: z.string().optional(),
});
export type LatestRequest = z.infer<typeof latestRequestSchema>;
/**
 * `versions`: current version of every answered subject (0 where it has none). `answered`: how many of the subjects were answered, counted
 * from the first, as many as one message holds and one at least; all of them where it is left out. Ask again for the others.
 */
export const latestReplySchema = z.object({
  events: z.array(z.record(z.string(), jsonSchema)),
  versions: z.record(z.string(), z.int()),
  answered: z.int().min(1).optional(),
});

export const sealedRequestSchema = z.object({ subscription: z.string() });
/** `sealed`: base64 of the AES-256-GCM envelope of a SealedDestination; absent where the subscription is gone. */
export const sealedReplySchema = z.object({ sealedRef: z.string().optional(), sealed: z.string().optional() });
