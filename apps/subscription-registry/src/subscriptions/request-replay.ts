import {
  nameSchema,
  parseOrThrow,
  type ReplaySpec,
  replaySpecSchema,
  SUBSCRIPTION_REPLAY_REQUESTED,
} from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { inScope } from '../access/scope.js';
import { onCurrentState } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { subscriptionSubject } from '../projection/change.js';
import type { SubscriptionStore } from './subscription-store.js';

/** Asks delivery, by an event in the log, to send a subscription again what it was sent before. */
export class RequestReplay {
  readonly #log: RegistryLog;
  readonly #subscriptions: SubscriptionStore;

  constructor(log: RegistryLog, subscriptions: SubscriptionStore) {
    this.#log = log;
    this.#subscriptions = subscriptions;
  }

  /**
   * @param request.body what `replaySpecSchema` takes
   * @returns what will be replayed, defaults filled in
   * @throws TocsinError `TCN_NOT_FOUND`, `TCN_INVALID`; those of `RegistryLog.append`
   */
  async run(request: {
    name: string;
    body: unknown;
    actor: string;
    scope?: Scope;
  }): Promise<{ name: string; replay: ReplaySpec }> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const replay = parseOrThrow(replaySpecSchema, request.body, 'replay');
    await onCurrentState(this.#log, async () => {
      const standing = (await this.#subscriptions.standing([name])).get(name);
      if (standing?.declared === undefined || !inScope(standing.declared.spec.labels, request.scope)) {
        throw new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
      }
      await this.#log.append([
        {
          type: SUBSCRIPTION_REPLAY_REQUESTED,
          subject: subscriptionSubject(name),
          data: { name, actor: request.actor, replay },
          expectedVersion: standing.version,
        },
      ]);
    });
    return { name, replay };
  }
}
