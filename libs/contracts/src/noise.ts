import { z } from 'zod';
import { timestampSchema } from './primitives.js';

/** KV bucket of what observers have counted: key = observer id, value = {@link NoiseTally}. */
export const NOISE_BUCKET = 'tocsin_noise';

/** What delivery is asked for the noise receipt: deliveries that have arrived, ever. */
export const DELIVERY_TALLY_RPC = 'tocsin.rpc.delivery.tally';
export const deliveryTallySchema = z.object({ delivered: z.int().min(0) });

const counted = {
  checks: z.int().min(0).meta({ description: 'Checks made, whatever came of them' }),
  local: z.int().min(0).meta({ description: 'Of these, the observer’s own trouble: they say nothing of the target' }),
  voided: z.int().min(0).meta({ description: 'Of these, void because the observer was blocked' }),
  suspicions: z.int().min(0).meta({ description: 'Targets that became suspect' }),
  refused: z.int().min(0).meta({ description: 'Suspicions the other observers did not share' }),
};

/** What one observer has counted since it was first started, over its restarts. */
export const noiseTallySchema = z
  .object({ observer: z.string(), since: timestampSchema, ...counted })
  .meta({ id: 'NoiseTally' });
export type NoiseTally = z.infer<typeof noiseTallySchema>;

/** The noise receipt of the whole installation. */
export const noiseReceiptSchema = z
  .object({
    since: timestampSchema.optional().meta({ description: 'Since when the observers have counted' }),
    ...counted,
    transitions: z.int().min(0).meta({ description: 'Changes confirmed and recorded' }),
    withheld: z.int().min(0).meta({ description: 'Of these, told to nobody' }),
    announced: z.int().min(0).meta({ description: 'Events that said what had become of a target' }),
    deliveries: z.int().min(0).optional().meta({ description: 'Deliveries that arrived; absent where nobody says' }),
    position: z.int().min(0).meta({ description: 'Last position of the log that was counted' }),
    observers: z.array(noiseTallySchema),
    missing: z.array(z.string()).meta({ description: 'What could not be asked for' }),
  })
  .meta({ id: 'NoiseReceipt' });
export type NoiseReceipt = z.infer<typeof noiseReceiptSchema>;
