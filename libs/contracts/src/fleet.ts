import { OVERLAYS } from '@tocsin/domain';
import { z } from 'zod';
import { probeEvidenceSchema } from './health-event.js';
import { labelsSchema, nameSchema, timestampSchema } from './primitives.js';
import { announcedStateSchema, targetKindSchema } from './target.js';

/** What can lie over a target so that its changes are stored and told to nobody. */
export const overlaySchema = z.enum(OVERLAYS).meta({ id: 'Overlay' });

const episodeSchema = z.string().meta({ description: 'The open episode, where there is one' });

const toldSchema = z
  .object({ state: announcedStateSchema, since: timestampSchema.optional(), episode: episodeSchema.optional() })
  .meta({ description: 'What subscribers know instead; absent where they know the state' });

/** One target of the fleet at one moment, as the log says. */
export const fleetEntrySchema = z
  .object({
    name: nameSchema,
    kind: targetKindSchema,
    labels: labelsSchema,
    state: announcedStateSchema,
    since: timestampSchema.optional().meta({ description: 'When the state became true; absent while pending' }),
    episode: episodeSchema.optional(),
    overlays: z.array(overlaySchema).meta({ description: 'Why changes are told to nobody' }),
    told: toldSchema.optional(),
    stale: z.literal(true).optional().meta({ description: 'Not looked at for longer than it may take' }),
    observer: z
      .string()
      .optional()
      .meta({ description: 'Who watches it; absent for a moment in the past, and where nobody does' }),
    evidence: probeEvidenceSchema.optional().meta({ description: 'The last word that decided' }),
    position: z.int().optional().meta({ description: 'Position of the event that says so' }),
  })
  .meta({ id: 'FleetEntry' });
export type FleetEntry = z.infer<typeof fleetEntrySchema>;

/** A part of the fleet. */
export const fleetPageSchema = z.object({
  at: timestampSchema.meta({ description: 'The moment that is shown' }),
  position: z.int().meta({ description: 'Last position of the log that counts' }),
  items: z.array(fleetEntrySchema),
  next: z.string().nullable().meta({ description: 'Cursor of the next part; null at the end' }),
});
export type FleetPage = z.infer<typeof fleetPageSchema>;

/** A change that was stored and told to nobody, and what became of it. */
export const withheldEntrySchema = z
  .object({
    position: z.int(),
    id: z.string(),
    type: z.string(),
    subject: z.string(),
    labels: labelsSchema,
    from: announcedStateSchema
      .optional()
      .meta({ description: 'Absent where not the state changed but heartbeats did' }),
    to: announcedStateSchema.optional(),
    since: timestampSchema.meta({ description: 'When the change became true' }),
    because: z
      .array(overlaySchema)
      .meta({ description: 'What kept it back; nothing where the truth came back by itself to what was told' }),
    causedBy: z.string().optional().meta({ description: 'Id of the event of the group that stands for it' }),
    told: toldSchema.optional(),
    episode: z.string().optional(),
    released: z
      .object({
        how: z.enum(['told', 'settled']).meta({
          description:
            'told: an event went out that says what is so. settled: the truth had come back to what was told',
        }),
        position: z.int(),
        at: timestampSchema,
      })
      .optional()
      .meta({ description: 'Absent while it is held' }),
  })
  .meta({ id: 'WithheldEntry' });
export type WithheldEntry = z.infer<typeof withheldEntrySchema>;

/** A part of what was withheld, newest first. */
export const withheldPageSchema = z.object({
  items: z.array(withheldEntrySchema),
  next: z.int().nullable().meta({ description: 'Pass as `before` for the next part; null at the end' }),
});
export type WithheldPage = z.infer<typeof withheldPageSchema>;
