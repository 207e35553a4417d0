import { z } from 'zod';
import { labelsSchema, nameSchema, timestampSchema } from './primitives.js';
import { actorSchema } from './registry-events.js';

/** What a key may do: admin ⊃ editor ⊃ viewer. A producer may append events and nothing else. */
export const keyRoleSchema = z.enum(['admin', 'editor', 'viewer', 'producer']).meta({
  id: 'Role',
  description:
    'viewer reads; editor also changes what is watched and who is told; admin all; producer appends events only',
});
export type KeyRole = z.infer<typeof keyRoleSchema>;

/** Calls a key may make, per process. */
export const keyRateSchema = z
  .strictObject({
    perSecond: z.number().min(0.01).max(100_000),
    burst: z.int().min(1).max(100_000).optional().meta({ description: 'Calls at once; default: those of one second' }),
  })
  .meta({ id: 'KeyRate', description: 'No more calls than this, for each process' });
export type KeyRate = z.infer<typeof keyRateSchema>;

/** Name that the bootstrap key goes by in events and logs; no other key may have it. */
export const BOOTSTRAP_KEY_NAME = 'bootstrap';

/** What a PUT on an API key takes. */
export const keySpecSchema = z
  .strictObject({
    role: keyRoleSchema,
    description: z.string().max(256).optional().meta({ description: 'What it is for' }),
    expiresAt: timestampSchema.optional().meta({ description: 'From this time on the key is refused' }),
    rate: keyRateSchema.optional().meta({ description: 'Default: 1000 calls a second' }),
    labels: labelsSchema
      .optional()
      .meta({ description: 'Scope: the key sees and changes only what carries all of these labels. Not for admins' }),
  })
  .refine(({ role, labels = {} }) => role !== 'admin' || Object.keys(labels).length === 0, {
    path: ['labels'],
    error: 'an admin has no scope: whoever makes keys could make one without it',
  })
  .meta({ id: 'KeySpec' });
/** An API key's declaration as validated. */
export type KeySpec = z.infer<typeof keySpecSchema>;

/** An API key as the API shows it: never the key, but in the one answer that made it. */
export const keyViewSchema = z
  .object({
    name: nameSchema,
    ...keySpecSchema.shape,
    keyId: z.string().meta({ description: 'The part of the key that is no secret, `tcn_<keyId>_…`' }),
    lastUsedAt: z.string().optional().meta({ description: 'To the minute; absent where it was never used' }),
    revision: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
    key: z.string().optional().meta({ description: 'The key, `tcn_…`; only in the answer that created it' }),
  })
  .meta({ id: 'Key' });
export type KeyView = z.infer<typeof keyViewSchema>;

/** Types of the events about API keys; subject `key/<name>`. Neither key nor hash is in them. */
export const KEY_EVENTS = {
  created: 'io.tocsin.key.created',
  updated: 'io.tocsin.key.updated',
  removed: 'io.tocsin.key.removed',
} as const;

/** Payload of `io.tocsin.key.created` and `.updated`. */
export const keyDeclaredSchema = z
  .object({ name: nameSchema, actor: actorSchema, spec: keySpecSchema, keyId: z.string() })
  .meta({ id: 'KeyDeclaredEventData' });

/** Payload of `io.tocsin.key.removed`. */
export const keyRemovedSchema = z.object({ name: nameSchema, actor: actorSchema }).meta({ id: 'KeyRemovedEventData' });

/** NATS subjects about API keys. */
export const KEY_RPC = {
  /** Whose key is this; answered by any replica of the registry. */
  verify: 'tocsin.rpc.registry.verify-key',
  /** Every process forgets what it knows of a key; answered by all of them. */
  changed: 'tocsin.rpc.registry.key-changed',
} as const;

/** `proof` is a digest of the key: whoever listens on the broker learns nothing he could call with. */
export const verifyKeyRequestSchema = z.object({ keyId: z.string().max(64), proof: z.string().max(128) });
/** Absent principal: nobody's key, or not any more. */
export const verifyKeyReplySchema = z.object({
  principal: z
    .object({
      name: nameSchema,
      role: keyRoleSchema,
      rate: keyRateSchema.optional(),
      /** Labels of everything it may see. */
      scope: labelsSchema.optional(),
    })
    .optional(),
});
export const keyChangedSchema = z.object({ keyId: z.string().max(64) });
