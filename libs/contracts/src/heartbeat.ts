import { z } from 'zod';
import { durationSchema, nameSchema } from './primitives.js';

/** Where a target sends its heartbeats over NATS: `tocsin.heartbeats.<token>`, published or requested. */
export const HEARTBEAT_SUBJECT = 'tocsin.heartbeats';

/** An observer that was given a heartbeat hands it to the one that watches the target: `tocsin.rpc.probe.beat.<observer>`. */
export const BEAT_PREFIX = 'tocsin.rpc.probe.beat';

/** Largest body of a heartbeat, bytes: a status and a sentence. */
export const HEARTBEAT_MAX_BYTES = 4096;

/** What a heartbeat may say. */
export const heartbeatSchema = z
  .strictObject({
    status: z
      .enum(['ok', 'fail'])
      .default('ok')
      .meta({ description: 'fail: the target says itself that it is not well, and is announced as down' }),
    message: z.string().max(1024).optional().meta({ description: 'Becomes the reason people on call read' }),
  })
  .meta({ id: 'Heartbeat' });
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/** The tokens of one target, newest first: SHA-256 of each, in hex. */
export const heartbeatTokensSchema = z.object({
  tokens: z
    .array(
      z.object({
        hash: z.string(),
        /** Epoch milliseconds; the newest one has none. */
        notAfter: z.number().optional(),
      }),
    )
    .max(8),
});
export type HeartbeatTokens = z.infer<typeof heartbeatTokensSchema>;

/** Body of a rotation. */
export const rotateTokenSchema = z
  .strictObject({
    overlap: durationSchema({ min: '0s', max: '7d' })
      .default('24h')
      .meta({ description: 'How long the token until now is taken beside the new one; 0s ends all others at once' }),
  })
  .meta({ id: 'RotateToken' });

/** What an observer tells the one that watches the target. */
export const beatSchema = z.object({ target: nameSchema, beat: heartbeatSchema });
/** `taken`: false where the asked one does not watch the target any more. */
export const beatReplySchema = z.object({ taken: z.boolean() });
