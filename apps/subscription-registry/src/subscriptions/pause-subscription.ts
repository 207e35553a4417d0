import { nameSchema, parseOrThrow, REGISTRY_EVENTS, type SubscriptionView } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { inScope } from '../access/scope.js';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { subscriptionSubject } from '../projection/change.js';
import type { SubscriptionStore } from './subscription-store.js';

/**
 * Pauses and resumes: what a paused subscription wants waits in the log, as long as that is kept. It is part of the declaration, so a
 * declaration that does not say `paused` resumes as well. To resume also enables what delivery has disabled.
 */
export class PauseSubscription {
  readonly #log: RegistryLog;
  readonly #subscriptions: SubscriptionStore;

  constructor(log: RegistryLog, subscriptions: SubscriptionStore) {
    this.#log = log;
    this.#subscriptions = subscriptions;
  }

  /**
   * Nothing is recorded where it is so already.
   * @throws TocsinError `TCN_NOT_FOUND`, `TCN_PRECONDITION_FAILED`, `TCN_INVALID` for a name that cannot be one; those of
   *   `RegistryLog.append`
   */
  async run(request: {
    name: string;
    paused: boolean;
    actor: string;
    scope?: Scope;
    precondition?: Precondition;
  }): Promise<SubscriptionView> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const subject = subscriptionSubject(name);
    await onCurrentState(this.#log, async () => {
      const standing = (await this.#subscriptions.standing([name])).get(name);
      if (standing?.declared === undefined || !inScope(standing.declared.spec.labels, request.scope)) {
        throw notFound(name);
      }
      checkPrecondition(request.precondition ?? {}, standing.declared.revision, subject);
      const { paused = false, ...spec } = standing.declared.spec;
      // Whoever resumes what was disabled wants it told again, though it was never paused.
      const enables = !request.paused && standing.declared.disabled;
      if (paused === request.paused && !enables) return;
      await this.#log.append([
        {
          type: request.paused ? REGISTRY_EVENTS.subscriptionPaused : REGISTRY_EVENTS.subscriptionResumed,
          subject,
          data: {
            name,
            actor: request.actor,
            spec: request.paused ? { ...spec, paused: true } : spec,
            sealedRef: standing.declared.sealedRef,
          },
          expectedVersion: standing.version,
        },
      ]);
    });
    const shown = await this.#subscriptions.find(name);
    if (shown === undefined) throw notFound(name);
    return shown;
  }
}

function notFound(name: string): TocsinError {
  return new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
}
