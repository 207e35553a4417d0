import { KEY_RPC, keyChangedSchema, verifyKeyReplySchema } from '@tocsin/contracts';
import { type Clock, isTocsinError, TocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { type PresentedKey, readApiKey } from './api-key.js';
import { ExpiringCache } from './expiring-cache.js';
import type { KeyVerifier, Principal } from './principal.js';

/**
 * An answer of the registry is believed this long, in milliseconds. A revoked key must stop working within 2 s everywhere, also in a process
 * that the word of it did not reach; the other second is for the answer's own way.
 */
const BELIEVED_MS = 1_000;
/** The registry answers within milliseconds, or 50 where it has to work the hash out. */
const TIMEOUT_MS = 1_000;
/** Keys remembered at once, wrong ones too. */
const MOST_REMEMBERED = 10_000;

/**
 * Asks the registry whose key it is. While no registry answers, such keys are refused with 503: that nobody said of a key that it was
 * revoked means nothing then.
 */
export class RegistryKeyVerifier implements KeyVerifier {
  readonly #broker: Pick<Broker, 'request' | 'serve'>;
  readonly #known: ExpiringCache<Principal | undefined>;
  readonly #asked = new Map<string, Promise<Principal | undefined>>();
  #serving: { close(): Promise<void> } | undefined;

  constructor(broker: Pick<Broker, 'request' | 'serve'>, clock: Clock) {
    this.#broker = broker;
    this.#known = new ExpiringCache({ clock, ttlMs: BELIEVED_MS, most: MOST_REMEMBERED });
  }

  /** Listens for changes of keys from now on, so that they count at once. */
  start(): this {
    this.#serving ??= this.#broker.serve(KEY_RPC.changed, {
      schema: keyChangedSchema,
      handle: async ({ keyId }) => this.#known.forget(keyId),
    });
    return this;
  }

  /** Stops listening. */
  async close(): Promise<void> {
    await this.#serving?.close();
    this.#serving = undefined;
  }

  async verify(key: string): Promise<Principal | undefined> {
    const presented = readApiKey(key);
    if (presented === undefined) return undefined;
    const known = this.#known.get(key);
    if (known !== undefined) return known.value;
    // Many calls with one key at once are one question.
    let asking = this.#asked.get(presented.proof);
    if (asking === undefined) {
      asking = this.#ask(key, presented).finally(() => this.#asked.delete(presented.proof));
      this.#asked.set(presented.proof, asking);
    }
    return asking;
  }

  async #ask(key: string, presented: PresentedKey): Promise<Principal | undefined> {
    try {
      const options = { timeoutMs: TIMEOUT_MS, schema: verifyKeyReplySchema };
      const { principal } = await this.#broker.request(KEY_RPC.verify, presented, options);
      this.#known.put(key, presented.keyId, principal);
      return principal;
    } catch (error) {
      if (!isTocsinError(error) || !error.retryable) throw error;
      throw new TocsinError('TCN_UNAVAILABLE', 'the registry, which knows the API keys, does not answer', {
        cause: error,
        retryAfterMs: error.retryAfterMs ?? 1_000,
      });
    }
  }
}
