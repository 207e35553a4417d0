import { RPC, sealedRequestSchema } from '@tocsin/contracts';
import type { Broker } from '@tocsin/jetstream';
import type { RegistryLog } from '../log/registry-log.js';
import type { SealedStore } from './sealed-store.js';

/** Any replica may answer. */
const QUEUE = 'subscription-registry';

/** Hands delivery the sealed part of a subscription. It stays sealed on the way: delivery has the master key itself. */
export class SealedResponder {
  readonly #broker: Pick<Broker, 'serve'>;
  readonly #log: Pick<RegistryLog, 'catchUp'>;
  readonly #seals: SealedStore;
  readonly #onError: (error: unknown) => void;
  #serving: { close(): Promise<void> } | undefined;

  constructor(options: {
    broker: Pick<Broker, 'serve'>;
    log: Pick<RegistryLog, 'catchUp'>;
    seals: SealedStore;
    onError: (error: unknown) => void;
  }) {
    this.#broker = options.broker;
    this.#log = options.log;
    this.#seals = options.seals;
    this.#onError = options.onError;
  }

  /** Answers from now on. */
  start(): void {
    this.#serving ??= this.#broker.serve(RPC.registrySealed, {
      queue: QUEUE,
      schema: sealedRequestSchema,
      handle: async ({ subscription }) => {
        // Delivery asks because it has read of a change. An answer from before that change would be kept until the next one, and
        // "gone" would be believed; so the projection comes up to the log first.
        await this.#log.catchUp();
        const current = await this.#seals.current(subscription);
        return current === undefined ? {} : { sealedRef: current.ref, sealed: current.envelope.toString('base64') };
      },
      onError: (error) => this.#onError(error),
    });
  }

  /** Answers what it has taken, takes no more. */
  async stop(): Promise<void> {
    await this.#serving?.close();
    this.#serving = undefined;
  }
}
