import { nameSchema, parseOrThrow, type SubscriptionSpec, type SubscriptionView } from '@tocsin/contracts';
import { type Clock, TocsinError } from '@tocsin/domain';
import { inScope, requireFreeName, requireInScope } from '../access/scope.js';
import { mergePatch } from '../request/merge-patch.js';
import { splitName } from '../request/name.js';
import type { Outcome } from '../log/outcome.js';
import { checkPrecondition, onCurrentState } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { subscriptionSubject } from '../projection/change.js';
import type { DeclareRequest } from '../targets/declare-target.js';
import { appendSealed } from './append-sealed.js';
import {
  parseSubscriptionSpec,
  planSubscription,
  type SecretSource,
  type DestinationCheck,
} from './plan-subscription.js';
import type { SealedStore } from './sealed-store.js';
import type { SubscriptionStore } from './subscription-store.js';

/** A subscription as it stands after it was declared. */
export interface DeclaredSubscription {
  readonly outcome: Outcome;
  readonly subscription: SubscriptionView;
}

/** Declares a subscription: creates it, or replaces its declaration as a whole; its signing secret stays. */
export class DeclareSubscription {
  readonly #log: RegistryLog;
  readonly #subscriptions: SubscriptionStore;
  readonly #seals: SealedStore;
  readonly #checkDestination: DestinationCheck;
  readonly #secrets: SecretSource;
  readonly #clock: Clock;

  constructor(parts: {
    log: RegistryLog;
    subscriptions: SubscriptionStore;
    seals: SealedStore;
    checkDestination: DestinationCheck;
    secrets: SecretSource;
    clock: Clock;
  }) {
    this.#log = parts.log;
    this.#subscriptions = parts.subscriptions;
    this.#seals = parts.seals;
    this.#checkDestination = parts.checkDestination;
    this.#secrets = parts.secrets;
    this.#clock = parts.clock;
  }

  /**
   * @param request.body the declaration as somebody sent it; it may repeat the name
   * @returns the subscription, with its signing secret if that was made now
   * @throws TocsinError `TCN_INVALID` or `TCN_EGRESS_BLOCKED` with faults that point into the body; those of `requireInScope` and
   *   `requireFreeName`; `TCN_PRECONDITION_FAILED`; those of `RegistryLog.append`
   */
  async run(request: DeclareRequest & { body: unknown }): Promise<DeclaredSubscription> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const spec = parseSubscriptionSpec(splitName(name, request.body));
    return this.#declare(name, request, () => spec);
  }

  /**
   * Changes the fields that a JSON Merge Patch names and leaves the others, the secret ones too.
   * @throws TocsinError as {@link run}, and `TCN_NOT_FOUND`
   */
  async patch(request: DeclareRequest & { patch: unknown }): Promise<DeclaredSubscription> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    return this.#declare(name, request, (current) => {
      if (current === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
      return parseSubscriptionSpec(mergePatch(current, splitName(name, request.patch)));
    });
  }

  async #declare(
    name: string,
    request: DeclareRequest,
    specOf: (current: SubscriptionSpec | undefined) => SubscriptionSpec,
  ): Promise<DeclaredSubscription> {
    const done = await onCurrentState(this.#log, async () => {
      const standing = (await this.#subscriptions.standing([name])).get(name) ?? { version: 0 };
      const subject = subscriptionSubject(name);
      const now = standing.declared?.spec;
      // What cannot be seen is not there to be patched, and a name that is taken to be declared.
      if (now !== undefined && !inScope(now.labels, request.scope)) specOf(undefined);
      requireFreeName(subject, request.scope, now?.labels);
      checkPrecondition(request.precondition ?? {}, standing.declared?.revision, subject);
      const spec = specOf(now);
      requireInScope({ subject, scope: request.scope, wanted: spec.labels, pointer: '/labels' });
      const plan = planSubscription({
        name,
        spec,
        standing,
        current: this.#seals.open(name, standing),
        actor: request.actor,
        checkDestination: this.#checkDestination,
        secrets: this.#secrets,
      });
      if (plan.declaration !== undefined && request.dryRun !== true) {
        await appendSealed(this.#log, this.#seals, [plan.declaration], plan.seal === undefined ? [] : [plan.seal]);
      }
      return plan;
    });
    const shown = await this.#subscriptions.find(name);
    if (request.dryRun === true) {
      if (done.outcome === 'unchanged' && shown !== undefined) return { outcome: done.outcome, subscription: shown };
      return { outcome: done.outcome, subscription: asDeclared(name, done.spec, shown, this.#clock.now()) };
    }
    if (shown === undefined) {
      throw new TocsinError('TCN_CONFLICT', `subscription/${name} was removed while it was declared`);
    }
    return {
      outcome: done.outcome,
      subscription: done.secret === undefined ? shown : { ...shown, secret: done.secret },
    };
  }
}

/** How a subscription would be shown. Revision 0: it has none yet. */
function asDeclared(
  name: string,
  spec: SubscriptionSpec,
  now: SubscriptionView | undefined,
  nowMs: number,
): SubscriptionView {
  const time = new Date(nowMs).toISOString();
  const state = spec.paused === true ? 'paused' : 'active';
  const { revision, createdAt, updatedAt } = now ?? {
    revision: 0,
    createdAt: time,
    updatedAt: time,
  };
  return { name, ...spec, state, revision, createdAt, updatedAt };
}
