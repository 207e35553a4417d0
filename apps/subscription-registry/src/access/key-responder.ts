import { KEY_RPC, verifyKeyRequestSchema, type verifyKeyReplySchema } from '@tocsin/contracts';
import type { Clock } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { ExpiringCache, USUAL_RATE } from '@tocsin/platform';
import type { z } from 'zod';
import { matchesHash } from './key-hash.js';
import type { KeyStore } from './key-store.js';

/** Any replica may answer. */
const QUEUE = 'subscription-registry';
/** That a proof belongs to a hash stays true for ever; it is worked out anew now and then so that little is held in memory. */
const MATCH_REMEMBERED_MS = 300_000;
const MOST_REMEMBERED = 10_000;
/** Hashes worked out at once keep this many threads busy; Node has four for everything. */
const CONCURRENCY = 16;

type Reply = z.input<typeof verifyKeyReplySchema>;

/**
 * Says whose key it is. The row is read for every question, so a revoked key is nobody's from the moment its removal is projected; only
 * the slow part, the hash, is remembered.
 */
export class KeyResponder {
  readonly #broker: Pick<Broker, 'serve'>;
  readonly #keys: KeyStore;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  /** By proof: the hash that it was compared with, and the outcome. */
  readonly #compared: ExpiringCache<{ hash: string; matches: boolean }>;
  #serving: { close(): Promise<void> } | undefined;

  constructor(options: {
    broker: Pick<Broker, 'serve'>;
    keys: KeyStore;
    clock: Clock;
    onError: (error: unknown) => void;
  }) {
    this.#broker = options.broker;
    this.#keys = options.keys;
    this.#clock = options.clock;
    this.#onError = options.onError;
    this.#compared = new ExpiringCache({ clock: options.clock, ttlMs: MATCH_REMEMBERED_MS, most: MOST_REMEMBERED });
  }

  /** Answers from now on. */
  start(): void {
    this.#serving ??= this.#broker.serve(KEY_RPC.verify, {
      queue: QUEUE,
      schema: verifyKeyRequestSchema,
      concurrency: CONCURRENCY,
      handle: (question) => this.#answer(question),
      onError: (error) => this.#onError(error),
    });
  }

  /** Answers what it has taken, takes no more. */
  async stop(): Promise<void> {
    await this.#serving?.close();
    this.#serving = undefined;
  }

  async #answer({ keyId, proof }: { keyId: string; proof: string }): Promise<Reply> {
    const holder = await this.#keys.holder(keyId);
    if (holder === undefined || !(await this.#matches(keyId, proof, holder.hash))) return {};
    const { role, expiresAt, rate = USUAL_RATE, labels: scope } = holder.spec;
    if (expiresAt !== undefined && Date.parse(expiresAt) <= this.#clock.now()) return {};
    await this.#keys.used(keyId);
    return { principal: { name: holder.name, role, rate, scope } };
  }

  async #matches(keyId: string, proof: string, hash: string): Promise<boolean> {
    const known = this.#compared.get(proof)?.value;
    if (known?.hash === hash) return known.matches;
    const matches = await matchesHash(proof, hash);
    this.#compared.put(proof, keyId, { hash, matches });
    return matches;
  }
}
