import type { ApplyRequest } from '@tocsin/contracts';
import { type Fault, isTocsinError, TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { requireFreeName, requireInScope } from '../access/scope.js';
import { type OwnedWindow, planWindow, windowSubject } from '../maintenance/window-log.js';
import { subscriptionSubject, targetDeclarationSubject } from '../projection/change.js';
import { planSubscription, type SecretSource, type DestinationCheck } from '../subscriptions/plan-subscription.js';
import type { SealedStore } from '../subscriptions/sealed-store.js';
import type { StandingSubscription } from '../subscriptions/subscription-store.js';
import { checkTargetSpec, planTarget } from '../targets/declare-target.js';
import { requirePossible } from '../targets/icmp-ability.js';
import type { StandingTarget } from '../targets/target-store.js';
import { type ApplyStep, MOST_FAULTS } from './apply-step.js';
import type { Standing } from './plan-removals.js';

/** What an apply is planned against. */
export interface ApplyContext extends Standing {
  readonly seals: Pick<SealedStore, 'open'>;
  readonly actor: string;
  /** Labels of all that the caller may see and change; absent: everything. */
  readonly scope?: Scope | undefined;
  readonly checkDestination: DestinationCheck;
  readonly secrets: SecretSource;
  /** Why ICMP checks cannot be made; undefined where they can. */
  readonly icmpFault?: string | undefined;
}

const NOTHING_YET: StandingTarget & StandingSubscription & OwnedWindow = { version: 0 };

/**
 * What has to be recorded so that everything stands as declared. Subscriptions come first: what happens to the new targets is
 * then told to the new subscribers from the beginning. Windows come before targets, so that a new target is in its window from the start.
 * @throws TocsinError `TCN_INVALID`, `TCN_EGRESS_BLOCKED`, `TCN_FORBIDDEN` (something would be outside of the caller's scope) or
 *   `TCN_CONFLICT` (something is another owner's, or outside of the scope) with every fault there is, as pointers into the request
 */
export function planApply(request: ApplyRequest, context: ApplyContext): ApplyStep[] {
  const faults = new FaultList();
  for (const list of ['targets', 'subscriptions', 'maintenance'] as const) faults.addDuplicates(list, request[list]);
  const { actor, scope } = context;
  const owned = request.owner === undefined ? {} : { owner: request.owner };

  const subscriptions = request.subscriptions.map(({ name, ...spec }, index) =>
    faults.collect(`/subscriptions/${index}`, (): ApplyStep => {
      const standing = context.subscriptions.get(name) ?? NOTHING_YET;
      const subject = subscriptionSubject(name);
      requireFreeName(subject, scope, standing.declared?.spec.labels);
      requireInScope({ subject, scope, wanted: spec.labels, pointer: '/labels' });
      const current = context.seals.open(name, standing);
      const { secret, seal, outcome, declaration } = planSubscription({
        ...{ name, spec, standing, current, ...owned, actor },
        checkDestination: context.checkDestination,
        secrets: context.secrets,
      });
      return {
        ...stepOf('subscription', name, subject, standing.declared?.revision),
        ...ownership(request, standing.declared),
        ...{ outcome, declarations: declaration === undefined ? [] : [declaration] },
        ...(seal === undefined ? {} : { seal }),
        ...(secret === undefined ? {} : { secret: { name, value: secret } }),
      };
    }),
  );
  const windows = request.maintenance.map(({ name, ...spec }, index) =>
    faults.collect(`/maintenance/${index}`, (): ApplyStep => {
      const standing = context.maintenance.get(name) ?? NOTHING_YET;
      const subject = windowSubject(name);
      requireFreeName(subject, scope, standing.window?.spec.selector);
      requireInScope({ subject, scope, wanted: spec.selector, pointer: '/selector' });
      const { outcome, declaration } = planWindow({ name, spec, standing, actor, ...owned });
      return {
        ...stepOf('maintenance', name, subject, standing.window?.revision),
        ...ownership(request, standing.window === undefined ? undefined : standing),
        ...{ outcome, declarations: declaration === undefined ? [] : [declaration] },
      };
    }),
  );
  const targets = request.targets.map(({ name, ...spec }, index) =>
    faults.collect(`/targets/${index}`, (): ApplyStep => {
      checkTargetSpec(name, spec);
      const standing = context.targets.get(name) ?? NOTHING_YET;
      const subject = targetDeclarationSubject(name);
      requireFreeName(subject, scope, standing.declared?.spec.labels);
      requireInScope({ subject, scope, wanted: spec.labels, pointer: '/labels' });
      const { outcome, declaration, token } = planTarget({ name, spec, standing, actor, ...owned });
      if (declaration !== undefined) requirePossible(spec, context.icmpFault);
      return {
        ...stepOf('target', name, subject, standing.declared?.revision),
        ...ownership(request, standing.declared),
        ...{ outcome, declarations: declaration === undefined ? [] : [declaration] },
        ...(token === undefined ? {} : { token }),
      };
    }),
  );
  faults.throwIfAny();
  return [...subscriptions, ...windows, ...targets].filter((step) => step !== undefined);
}

function stepOf(kind: ApplyStep['kind'], name: string, subject: string, revision = 0) {
  return { kind, name, subject, revision };
}

/**
 * Whose the thing was, where it becomes this owner's. What is nobody's becomes the owner's who declares it; an apply without an owner
 * changes what it names as a PUT would, and whose it is stays.
 * @param declared what stands; absent where nothing does
 * @throws TocsinError `TCN_CONFLICT` for what is another's, unless the request takes it over
 */
function ownership(
  { owner, takeOver }: Pick<ApplyRequest, 'owner' | 'takeOver'>,
  declared: { readonly owner?: string } | undefined,
): Pick<ApplyStep, 'takenFrom'> {
  if (owner === undefined || declared === undefined || declared.owner === owner) return {};
  if (declared.owner !== undefined && !takeOver) {
    const detail = `is looked after by "${declared.owner}", not by "${owner}"`;
    throw new TocsinError('TCN_CONFLICT', detail, { faults: [{ pointer: '/name', detail }] });
  }
  return { takenFrom: declared.owner ?? null };
}

/** Of several faults the first of these names them all: what is wrong in itself, wherever it is applied, comes first. */
const CODES = ['TCN_INVALID', 'TCN_EGRESS_BLOCKED', 'TCN_FORBIDDEN', 'TCN_CONFLICT'] as const;

/** Gathers the faults of all parts, so that one answer names everything there is to mend. */
class FaultList {
  readonly #faults: Fault[] = [];
  readonly #codes = new Set<string>();

  /** Runs `work` on the part at `pointer`; undefined if it found faults. */
  collect<T>(pointer: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isTocsinError(error, ...CODES)) throw error;
      this.#codes.add(error.code);
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
      this.#codes.add('TCN_INVALID');
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
    const code = CODES.find((one) => this.#codes.has(one)) ?? 'TCN_INVALID';
    throw new TocsinError(code, `apply: ${first.pointer}: ${first.detail}${more}`, {
      faults: this.#faults.slice(0, MOST_FAULTS),
    });
  }
}
