import { z } from 'zod';
import { labelsSchema, nameSchema } from './primitives.js';
import { announcedStateSchema, targetKindSchema } from './target.js';

/** One observer's word on a target: what its probe met. */
export const probeEvidenceSchema = z.object({
  observer: z.string(),
  at: z.string().meta({ description: 'When the probe started, RFC 3339' }),
  outcome: z.enum(['pass', 'fail', 'degraded', 'abstain']),
  phase: z
    .enum(['dns', 'connect', 'tls', 'request', 'assert', 'deadline'])
    .optional()
    .meta({ description: 'Where it failed' }),
  detail: z.string().optional(),
  durationMs: z.number(),
});
export type ProbeEvidence = z.infer<typeof probeEvidenceSchema>;

/** Payload of `io.tocsin.<kind>.offline`, `.online`, `.degraded`, `.restored`, `.unknown`. */
export const healthEventDataSchema = z
  .object({
    target: nameSchema,
    kind: targetKindSchema,
    labels: labelsSchema,
    from: announcedStateSchema,
    to: announcedStateSchema,
    reason: z.string().meta({ description: 'One sentence a person on call wants to read' }),
    confidence: z.enum(['single', 'quorum']),
    evidence: z.array(probeEvidenceSchema),
    votes: z.object({ fail: z.int(), pass: z.int(), abstain: z.int() }).optional(),
    confirmedAt: z.string(),
    detectionMs: z
      .number()
      .meta({ description: 'From the first failing (passing) probe to the confirmation, milliseconds' }),
    told: z
      .object({ state: announcedStateSchema, since: z.string().optional(), episode: z.string().optional() })
      .optional()
      .meta({ description: 'On an event that is withheld: what subscribers know instead' }),
    damping: z
      .object({ points: z.number(), flapping: z.boolean() })
      .optional()
      .meta({ description: 'How much the target has flapped lately; absent where it has not' }),
    downMs: z.number().optional().meta({ description: 'On a recovery: how long the outage lasted, milliseconds' }),
  })
  .meta({ id: 'HealthEventData' });
export type HealthEventData = z.infer<typeof healthEventDataSchema>;
