import { KEY_RPC } from '@tocsin/contracts';
import type { Broker } from '@tocsin/jetstream';

/** Nobody waits for this longer: what it does not reach notices by itself within a second. */
const TIMEOUT_MS = 500;

/** Tells every process that what it knows of a key is no longer so. */
export class KeyChanges {
  readonly #broker: Pick<Broker, 'request'>;
  readonly #onError: (error: unknown) => void;

  constructor(broker: Pick<Broker, 'request'>, onError: (error: unknown) => void) {
    this.#broker = broker;
    this.#onError = onError;
  }

  /** Never fails: without it the change counts as soon as the answers that are remembered run out. */
  async announce(keyId: string): Promise<void> {
    try {
      await this.#broker.request(KEY_RPC.changed, { keyId }, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      this.#onError(error);
    }
  }
}
