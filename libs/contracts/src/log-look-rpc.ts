import { z } from 'zod';
import { jsonSchema } from './rpc.js';

/** NATS subjects by which one looks into the log, beside reading it forward. Any recorder answers. */
export const LOG_LOOK_RPC = {
  /** Events before a position, the newest first. */
  before: 'tocsin.rpc.log.before',
  /** One event. */
  get: 'tocsin.rpc.log.get',
} as const;

/** The newest events before a position and a time. */
export const eventsBeforeRequestSchema = z.object({
  before: z.int().min(1).default(Number.MAX_SAFE_INTEGER),
  /** Recorded before this time, RFC 3339. Recording times never run backward in the log. */
  until: z.string().optional(),
  limit: z.int().min(1).max(1000),
  /** Type patterns, any of which matches. */
  types: z.array(z.string()).optional(),
  subject: z.string().optional(),
});
export type EventsBeforeRequest = z.input<typeof eventsBeforeRequestSchema>;

/** Structured CloudEvents, the newest first; fewer than asked for where they did not fit into one message. */
export const eventsBeforeReplySchema = z.object({ events: z.array(z.record(z.string(), jsonSchema)) });

/** One event, by its position (digits), its id or its `webhook-id`. */
export const eventGetRequestSchema = z.object({ key: z.string().min(1).max(1024) });
/** The structured CloudEvent; absent where there is none. */
export const eventGetReplySchema = z.object({ event: z.record(z.string(), jsonSchema).optional() });
