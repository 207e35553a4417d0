import { z } from 'zod';

/** NATS subject: up to where a durable consumer of the stream EVENTS has acknowledged, as Postgres remembers it. */
export const DURABLE_RPC = { position: 'tocsin.rpc.log.durable' } as const;

export const durablePositionRequestSchema = z.object({ durable: z.string().min(1).max(256) });
/** `acked`: everything up to this position has been acknowledged; absent where no such durable is remembered. */
export const durablePositionReplySchema = z.object({ acked: z.int().min(0).optional() });
