import { KEY_EVENTS, nameSchema, parseOrThrow } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { keySubject } from '../projection/change.js';
import type { KeyChanges } from './key-changes.js';
import type { KeyStore } from './key-store.js';

/** Revokes an API key; its hash is erased. The name may be declared again, with a new key. */
export class RemoveKey {
  readonly #log: RegistryLog;
  readonly #keys: KeyStore;
  readonly #changes: KeyChanges;

  constructor(log: RegistryLog, keys: KeyStore, changes: KeyChanges) {
    this.#log = log;
    this.#keys = keys;
    this.#changes = changes;
  }

  /** @throws TocsinError `TCN_NOT_FOUND`, `TCN_PRECONDITION_FAILED`, `TCN_INVALID` for a name that cannot be one */
  async run(request: { name: string; actor: string; precondition?: Precondition; dryRun?: boolean }): Promise<void> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const subject = keySubject(name);
    const revoked = await onCurrentState(this.#log, async () => {
      const { declared, version } = await this.#keys.standing(name);
      if (declared === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no key "${name}"`);
      checkPrecondition(request.precondition ?? {}, declared.revision, subject);
      if (request.dryRun === true) return undefined;
      const data = { name, actor: request.actor };
      await this.#log.append([{ type: KEY_EVENTS.removed, subject, data, expectedVersion: version }]);
      return declared.keyId;
    });
    if (revoked !== undefined) await this.#changes.announce(revoked);
  }
}
