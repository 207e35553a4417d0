import type { ApplyRequest } from '@tocsin/contracts';
import { type Fault, isTocsinError, TocsinError } from '@tocsin/domain';
import type { Outcome } from '../log/outcome.js';
import type { Declaration } from '../log/registry-log.js';
import { subscriptionSubject, targetDeclarationSubject } from '../projection/change.js';
import { planSubscription, type SecretSource, type DestinationCheck } from '../subscriptions/plan-subscription.js';
import type { NewSeal, SealedStore } from '../subscriptions/sealed-store.js';
import type { StandingSubscription } from '../subscriptions/subscription-store.js';
import { checkTargetSpec, planTarget } from '../targets/declare-target.js';
import type { StandingTarget } from '../targets/target-store.js';

/** One declared thing and what has to be done for it. */
export interface ApplyStep {
  /** `target/<name>` or `subscription/<name>`. */
  readonly subject: string;
  readonly outcome: Outcome;
  readonly declaration?: Declaration;
  readonly seal?: NewSeal;
  /** Signing secret made for a new subscription, with the subscription's name. */
  readonly secret?: { readonly name: string; readonly value: string };
}

/** What an apply is planned against. */
export interface ApplyContext {
  readonly targets: ReadonlyMap<string, StandingTarget>;
  readonly subscriptions: ReadonlyMap<string, StandingSubscription>;
  readonly seals: Pick<SealedStore, 'open'>;
  readonly actor: string;
  readonly checkDestination: DestinationCheck;
  readonly secrets: SecretSource;
}

const NOTHING_YET = { version: 0 };

/**
 * What has to be recorded so that everything stands as declared. Subscriptions come first: what happens to the new targets is
 * then told to the new subscribers from the beginning.
 * @throws TocsinError `TCN_INVALID` or `TCN_EGRESS_BLOCKED` with every fault there is, as pointers into the request
 */
export function planApply(request: ApplyRequest, context: ApplyContext): ApplyStep[] {
  const faults = new FaultList();
  faults.addDuplicates('targets', request.targets);
  faults.addDuplicates('subscriptions', request.subscriptions);
  const owned = request.owner === undefined ? {} : { owner: request.owner };

  const subscriptions = request.subscriptions.map(({ name, ...spec }, index) =>
    faults.collect(`/subscriptions/${index}`, (): ApplyStep => {
      const standing = context.subscriptions.get(name) ?? NOTHING_YET;
      const current = context.seals.open(name, standing);
      const { secret, ...plan } = planSubscription({ name, spec, standing, current, ...owned, ...context });
      return {
        subject: subscriptionSubject(name),
        ...plan,
        ...(secret === undefined ? {} : { secret: { name, value: secret } }),
      };
    }),
  );
  const targets = request.targets.map(({ name, ...spec }, index) =>
    faults.collect(`/targets/${index}`, (): ApplyStep => {
      checkTargetSpec(name, spec);
      const standing = context.targets.get(name) ?? NOTHING_YET;
      return {
        subject: targetDeclarationSubject(name),
        ...planTarget({ name, spec, standing, actor: context.actor, ...owned }),
      };
    }),
  );
  faults.throwIfAny();
  return [...subscriptions, ...targets].filter((step) => step !== undefined);
}

/** Gathers the faults of all parts, so that one answer names everything there is to mend. */
class FaultList {
  readonly #faults: Fault[] = [];
  #code: 'TCN_INVALID' | 'TCN_EGRESS_BLOCKED' = 'TCN_EGRESS_BLOCKED';

  /** Runs `work` on the part at `pointer`; undefined if it found faults. */
  collect<T>(pointer: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isTocsinError(error, 'TCN_INVALID', 'TCN_EGRESS_BLOCKED')) throw error;
      if (error.code === 'TCN_INVALID') this.#code = 'TCN_INVALID';
      this.#faults.push(...error.faults.map((fault) => ({ ...fault, pointer: `${pointer}${fault.pointer}` })));
      return undefined;
    }
  }

  addDuplicates(list: string, things: readonly { name: string }[]): void {
    const first = new Map<string, number>();
    for (const [index, { name }] of things.entries()) {
      const earlier = first.get(name);
      if (earlier === undefined) {
        first.set(name, index);
        continue;
      }
      this.#code = 'TCN_INVALID';
      this.#faults.push({
        pointer: `/${list}/${index}/name`,
        detail: `"${name}" is declared twice; the first time at /${list}/${earlier}`,
      });
    }
  }

  throwIfAny(): void {
    const [first] = this.#faults;
    if (first === undefined) return;
    const more = this.#faults.length > 1 ? ` (and ${this.#faults.length - 1} more)` : '';
    throw new TocsinError(this.#code, `apply: ${first.pointer}: ${first.detail}${more}`, { faults: this.#faults });
  }
}
