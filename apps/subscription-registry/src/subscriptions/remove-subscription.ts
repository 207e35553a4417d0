import { nameSchema, parseOrThrow, REGISTRY_EVENTS } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { inScope } from '../access/scope.js';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { Declaration, RegistryLog } from '../log/registry-log.js';
import { subscriptionSubject } from '../projection/change.js';
import type { SubscriptionStore } from './subscription-store.js';

/** Removes a subscription; its secrets are erased. The name may be declared again, with a new signing secret. */
export class RemoveSubscription {
  readonly #log: RegistryLog;
  readonly #subscriptions: SubscriptionStore;

  constructor(log: RegistryLog, subscriptions: SubscriptionStore) {
    this.#log = log;
    this.#subscriptions = subscriptions;
  }

  /** @throws TocsinError `TCN_NOT_FOUND`, `TCN_PRECONDITION_FAILED`, `TCN_INVALID` for a name that cannot be one */
  async run(request: {
    name: string;
    actor: string;
    scope?: Scope;
    precondition?: Precondition;
    /** Check everything, record nothing. */
    dryRun?: boolean;
  }): Promise<void> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const subject = subscriptionSubject(name);
    await onCurrentState(this.#log, async () => {
      const standing = (await this.#subscriptions.standing([name])).get(name);
      if (standing?.declared === undefined || !inScope(standing.declared.spec.labels, request.scope)) {
        throw new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
      }
      checkPrecondition(request.precondition ?? {}, standing.declared.revision, subject);
      if (request.dryRun === true) return;
      await this.#log.append([subscriptionRemoval(name, standing.version, request.actor)]);
    });
  }
}

/** What has to be recorded so that a subscription is there no longer. */
export function subscriptionRemoval(name: string, version: number, actor: string): Declaration {
  return {
    type: REGISTRY_EVENTS.subscriptionRemoved,
    subject: subscriptionSubject(name),
    data: { name, actor },
    expectedVersion: version,
  };
}
