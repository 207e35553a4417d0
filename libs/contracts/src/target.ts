import { z } from 'zod';
import { checkSchema } from './check.js';
import { heartbeatTokensSchema } from './heartbeat.js';
import { labelsSchema, nameSchema } from './primitives.js';

/** Kinds of targets; the kind is the second segment of the types of a target's events. */
export const targetKindSchema = z
  .enum(['node', 'gateway', 'origin', 'service', 'admin', 'logserver', 'custom'])
  .meta({ id: 'TargetKind' });
export type TargetKind = z.infer<typeof targetKindSchema>;

/** What a PUT on a target takes. */
export const targetSpecSchema = z
  .strictObject({
    kind: targetKindSchema,
    labels: labelsSchema.default({}),
    parent: nameSchema.optional(),
    check: checkSchema,
  })
  .meta({ id: 'TargetSpec' });
/** A target as validated: every default filled in. */
export type TargetSpec = z.infer<typeof targetSpecSchema>;

/** States that leave Tocsin. `pending`: no check has decided anything yet. */
export const announcedStateSchema = z
  .enum(['pending', 'up', 'degraded', 'down', 'unknown'])
  .meta({ id: 'AnnouncedState' });
export type AnnouncedState = z.infer<typeof announcedStateSchema>;

/** A target as the API shows it. */
export const targetViewSchema = z
  .object({
    name: nameSchema,
    ...targetSpecSchema.shape,
    state: announcedStateSchema,
    stateSince: z.string().optional().meta({ description: 'When the state became true; absent while pending' }),
    episode: z.string().optional().meta({ description: 'The open episode, where there is one' }),
    revision: z.int().meta({ description: 'Position of the event that last changed the declaration; the ETag' }),
    createdAt: z.string(),
    updatedAt: z.string(),
    token: z
      .string()
      .optional()
      .meta({ description: 'Of a heartbeat: what it is sent by, `hb_…`; shown this once, when it is made' }),
  })
  .meta({ id: 'Target' });
export type TargetView = z.infer<typeof targetViewSchema>;

/** What the registry puts into the observers' KV bucket for a target. */
export const watchedTargetSchema = z.object({
  name: nameSchema,
  revision: z.int(),
  spec: targetSpecSchema,
  /** Of a heartbeat: by what its tokens are known. */
  heartbeat: heartbeatTokensSchema.optional(),
});
export type WatchedTarget = z.infer<typeof watchedTargetSchema>;

/** Subject of a target's health events: `node/edge-fra-17`. */
export function targetSubject(kind: TargetKind, name: string): string {
  return `${kind}/${name}`;
}
