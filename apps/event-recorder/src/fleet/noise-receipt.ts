import {
  DELIVERY_TALLY_RPC,
  deliveryTallySchema,
  NOISE_BUCKET,
  noiseTallySchema,
  type NoiseReceipt,
  type NoiseTally,
} from '@tocsin/contracts';
import { isTocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { NoiseCounter } from './noise-counter.js';

const ASK_MS = 2_000;
const COUNTS = ['checks', 'local', 'voided', 'suspicions', 'refused'] as const;

/**
 * The noise receipt of the whole installation, over all observers and their restarts. What became of checks until a change was confirmed the
 * observers count and keep in a bucket; changes are counted in the log, deliveries by delivery.
 */
export class NoiseReceipts {
  constructor(
    private readonly broker: Pick<Broker, 'kv' | 'request'>,
    private readonly counter: Pick<NoiseCounter, 'count'>,
  ) {}

  /** What cannot be asked for now is named in `missing`. */
  async read(): Promise<NoiseReceipt> {
    const missing: string[] = [];
    const optional = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        if (!isTocsinError(error)) throw error;
        missing.push(`${what}: ${error.code}: ${error.message}`);
        return undefined;
      }
    };
    const [changes, tallies = [], delivered] = await Promise.all([
      this.counter.count(),
      optional('observers', () => this.#tallies()),
      optional('deliveries', () =>
        this.broker.request(DELIVERY_TALLY_RPC, {}, { schema: deliveryTallySchema, timeoutMs: ASK_MS }),
      ),
    ]);
    const [since] = tallies.map((tally) => tally.since).toSorted();
    const sum = (name: (typeof COUNTS)[number]) => tallies.reduce((total, tally) => total + tally[name], 0);
    return {
      ...(since === undefined ? {} : { since }),
      checks: sum('checks'),
      local: sum('local'),
      voided: sum('voided'),
      suspicions: sum('suspicions'),
      refused: sum('refused'),
      transitions: changes.states - changes.reconciling,
      withheld: changes.withheld,
      announced: changes.states - changes.withheld,
      ...(delivered === undefined ? {} : { deliveries: delivered.delivered }),
      position: changes.position,
      observers: tallies,
      missing,
    };
  }

  async #tallies(): Promise<NoiseTally[]> {
    const bucket = await this.broker.kv(NOISE_BUCKET);
    const entries = await Promise.all((await bucket.keys()).map((key) => bucket.get(key)));
    return entries.flatMap((entry) => noiseTallySchema.safeParse(entry?.value).data ?? []);
  }
}
