import {
  BOOTSTRAP_KEY_NAME,
  KEY_EVENTS,
  type KeySpec,
  keySpecSchema,
  type KeyView,
  nameSchema,
  parseOrThrow,
  requireWholeText,
} from '@tocsin/contracts';
import { type Clock, isTocsinError, TocsinError } from '@tocsin/domain';
import { newApiKey, readApiKey } from '@tocsin/platform';
import { isDeepStrictEqual } from 'node:util';
import type { Outcome } from '../log/outcome.js';
import { checkPrecondition, onCurrentState } from '../log/precondition.js';
import type { Declaration, RegistryLog } from '../log/registry-log.js';
import { keySubject } from '../projection/change.js';
import { faultAt } from '../request/fault.js';
import { splitName } from '../request/name.js';
import type { DeclareRequest } from '../targets/declare-target.js';
import type { KeyChanges } from './key-changes.js';
import { hashProof } from './key-hash.js';
import type { KeyStore, StandingKey } from './key-store.js';

/** A key as it stands after it was declared. */
export interface DeclaredKey {
  readonly outcome: Outcome;
  /** With the key itself if it was made now, this once. */
  readonly key: KeyView;
}

/** Declares an API key: makes it, or changes what it may do; the key itself stays. */
export class DeclareKey {
  readonly #log: RegistryLog;
  readonly #keys: KeyStore;
  readonly #changes: KeyChanges;
  readonly #clock: Clock;

  constructor(parts: { log: RegistryLog; keys: KeyStore; changes: KeyChanges; clock: Clock }) {
    this.#log = parts.log;
    this.#keys = parts.keys;
    this.#changes = parts.changes;
    this.#clock = parts.clock;
  }

  /**
   * @param request.body the declaration as somebody sent it; it may repeat the name
   * @throws TocsinError `TCN_INVALID`; `TCN_PRECONDITION_FAILED`; those of `RegistryLog.append`
   */
  async run(request: DeclareRequest & { body: unknown }): Promise<DeclaredKey> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const spec = this.#parse(name, request.body);
    const done = await onCurrentState(this.#log, async () => {
      const standing = await this.#keys.standing(name);
      checkPrecondition(request.precondition ?? {}, standing.declared?.revision, keySubject(name));
      const outcome = outcomeOf(standing, spec);
      if (outcome === 'unchanged' || request.dryRun === true) return { outcome };
      if (standing.declared === undefined)
        return { outcome, made: await this.#make(name, spec, standing, request.actor) };
      const { keyId } = standing.declared;
      await this.#log.append([declaration(KEY_EVENTS.updated, { name, actor: request.actor, spec, keyId }, standing)]);
      return { outcome, changed: keyId };
    });
    if (done.changed !== undefined) await this.#changes.announce(done.changed);
    const shown = await this.#keys.find(name);
    if (request.dryRun === true)
      return { outcome: done.outcome, key: asDeclared(name, spec, shown, this.#clock.now()) };
    if (shown === undefined)
      throw new TocsinError('TCN_CONFLICT', `${keySubject(name)} was removed while it was declared`);
    return { outcome: done.outcome, key: done.made === undefined ? shown : { ...shown, key: done.made } };
  }

  #parse(name: string, body: unknown): KeySpec {
    if (name === BOOTSTRAP_KEY_NAME) {
      throw faultAt(
        'TCN_INVALID',
        'name',
        '',
        `"${BOOTSTRAP_KEY_NAME}" is the key that the services were started with`,
      );
    }
    const wanted = splitName(name, body);
    requireWholeText(wanted, 'key');
    const spec = parseOrThrow(keySpecSchema, wanted, 'key');
    if (spec.expiresAt !== undefined && Date.parse(spec.expiresAt) <= this.#clock.now()) {
      throw faultAt('TCN_INVALID', 'key', '/expiresAt', 'must be in the future; to end a key now, delete it');
    }
    return spec;
  }

  /** The hash is stored first; a refused append takes it along, and what a crash leaves is swept. */
  async #make(name: string, spec: KeySpec, standing: StandingKey, actor: string): Promise<string> {
    const key = newApiKey();
    const presented = readApiKey(key);
    if (presented === undefined) throw new Error('a new key cannot be read');
    const { keyId, proof } = presented;
    await this.#keys.putSecret(keyId, await hashProof(proof));
    try {
      await this.#log.append([declaration(KEY_EVENTS.created, { name, actor, spec, keyId }, standing)]);
    } catch (error) {
      if (isTocsinError(error, 'TCN_VERSION_CONFLICT')) await this.#keys.discardSecret(keyId);
      throw error;
    }
    return key;
  }
}

function outcomeOf({ declared }: StandingKey, spec: KeySpec): Outcome {
  if (declared === undefined) return 'created';
  return isDeepStrictEqual(declared.spec, spec) ? 'unchanged' : 'updated';
}

function declaration(
  type: string,
  data: { name: string; actor: string; spec: KeySpec; keyId: string },
  standing: StandingKey,
): Declaration {
  return { type, subject: keySubject(data.name), data, expectedVersion: standing.version };
}

/** How a key would be shown. Revision 0: it has none yet. */
function asDeclared(name: string, spec: KeySpec, now: KeyView | undefined, nowMs: number): KeyView {
  const time = new Date(nowMs).toISOString();
  const { keyId, lastUsedAt, revision, createdAt, updatedAt } = now ?? {
    keyId: '',
    revision: 0,
    createdAt: time,
    updatedAt: time,
  };
  return { name, ...spec, keyId, ...(lastUsedAt === undefined ? {} : { lastUsedAt }), revision, createdAt, updatedAt };
}
