import { z } from 'zod';

/** NATS subject: up to where a durable consumer of the stream EVENTS has acknowledged, as Postgres remembers it. */
export const DURABLE_RPC = { position: 'tocsin.rpc.log.durable' } as const;

export const durablePositionRequestSchema = z.object({ durable: z.string().min(1).max(256) });
/** `acked`: everything up to this position has been acknowledged; absent where no such durable is remembered. */
export const durablePositionReplySchema = z.object({ acked: z.int().min(0).optional() });

/**
 * KV bucket of leases: which process consumes a durable by way of the client's helper. Key = name of the durable, value = ConsumerLease. A lease whose
 * entry stands unchanged for `leaseMs` is free.
 */
export const CONSUMERS_BUCKET = 'tocsin_consumers';

export const consumerLeaseSchema = z.object({
  /** Whose it is, one id per start of a consumer; null where it was handed back. */
  holder: z.string().nullable(),
  /** Host and process of the holder, for people who look. */
  where: z.string(),
  /** How long the holder's word lasts, milliseconds; it renews it several times meanwhile. */
  leaseMs: z.number().positive(),
  /** Counts the renewals, so that each changes the entry. */
  renewals: z.int().min(0),
});
export type ConsumerLease = z.infer<typeof consumerLeaseSchema>;
