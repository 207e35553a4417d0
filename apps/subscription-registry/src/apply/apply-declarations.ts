import {
  type ApplyReply,
  type ApplyRequest,
  applyRequestSchema,
  parseOrThrow,
  requireWholeText,
} from '@tocsin/contracts';
import type { Clock } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { onCurrentState } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import type { MaintenanceWindows } from '../maintenance/maintenance-windows.js';
import type { WindowLog } from '../maintenance/window-log.js';
import { appendSealed } from '../subscriptions/append-sealed.js';
import type { SecretSource, DestinationCheck } from '../subscriptions/plan-subscription.js';
import type { SealedStore } from '../subscriptions/sealed-store.js';
import type { SubscriptionStore } from '../subscriptions/subscription-store.js';
import { removalsOf } from '../targets/remove-target.js';
import type { IcmpAbility } from '../targets/icmp-ability.js';
import type { TargetStore } from '../targets/target-store.js';
import type { ApplyStep } from './apply-step.js';
import { requirePlanned } from './compare-and-set.js';
import { planApply } from './plan-apply.js';
import { planRemovals, type Standing } from './plan-removals.js';

/**
 * Times an apply is worked out anew after somebody else wrote to a subject of it first. Observers do, once for each new target: an apply
 * that changes thousands of them right after they were declared meets that.
 */
const TRIES = 12;

/** What an apply works with. */
export interface ApplyParts {
  log: RegistryLog;
  targets: TargetStore;
  subscriptions: SubscriptionStore;
  seals: SealedStore;
  windowLog: Pick<WindowLog, 'all'>;
  windows: Pick<MaintenanceWindows, 'bring'>;
  checkDestination: DestinationCheck;
  secrets: SecretSource;
  icmp: Pick<IcmpAbility, 'fault'>;
  clock: Clock;
}

/** Declares many targets, subscriptions and maintenance windows at once: what `tocsin.yaml` says. */
export class ApplyDeclarations {
  readonly #parts: ApplyParts;

  constructor(parts: ApplyParts) {
    this.#parts = parts;
  }

  /**
   * Validates all of it, then records what differs in one append: all or nothing, whatever ends in between.
   * @param request.body an ApplyRequest as somebody sent it
   * @throws TocsinError `TCN_INVALID` or `TCN_EGRESS_BLOCKED` with faults that point into the body; `TCN_CONFLICT` with faults of the
   *   same kind for what is another owner's; `TCN_PRECONDITION_FAILED` where it is not as it was planned any more; nothing is recorded
   *   then. Those of `RegistryLog.append`
   */
  async run(request: { body: unknown; actor: string; scope?: Scope | undefined }): Promise<ApplyReply> {
    requireWholeText(request.body, 'apply');
    const wanted = parseOrThrow(applyRequestSchema, request.body, 'apply');
    const { log, seals, windows } = this.#parts;
    return onCurrentState(
      log,
      async () => {
        const steps = await this.#plan(wanted, request);
        if (wanted.expect !== undefined) requirePlanned(steps, wanted.expect);
        if (wanted.dryRun) return replyOf(steps, true);
        const declarations = steps.flatMap((step) => step.declarations);
        const newSeals = steps.flatMap(({ seal }) => seal ?? []);
        if (declarations.length > 0) await appendSealed(log, seals, declarations, newSeals);
        await windows.bring(
          steps.flatMap(({ kind, name, outcome }) => (kind === 'maintenance' && outcome !== 'unchanged' ? [name] : [])),
        );
        return replyOf(steps, false);
      },
      TRIES,
    );
  }

  async #plan(wanted: ApplyRequest, caller: { actor: string; scope?: Scope | undefined }): Promise<ApplyStep[]> {
    const { targets, subscriptions, seals, windowLog, checkDestination, secrets, log, clock } = this.#parts;
    const owner = wanted.prune ? wanted.owner : undefined;
    const [ownTargets, ownSubscriptions] =
      owner === undefined ? [[], []] : [await targets.ownedBy(owner), await subscriptions.ownedBy(owner)];
    const standing: Standing = {
      targets: await targets.standing(namesOf(wanted.targets, ownTargets)),
      subscriptions: await subscriptions.standing(namesOf(wanted.subscriptions, ownSubscriptions)),
      maintenance: wanted.maintenance.length > 0 || wanted.prune ? await windowLog.all() : new Map(),
    };
    const icmpFault = await this.#parts.icmp.fault(wanted.targets);
    const declared = planApply(wanted, { ...standing, ...caller, seals, checkDestination, secrets, icmpFault });
    if (owner === undefined) return declared;
    const removed = await planRemovals({
      declared: new Set(declared.map(({ subject }) => subject)),
      ...{ owner, standing },
      ...caller,
      removeTargets: (gone) => removalsOf(gone, log, caller.actor, clock.now()),
    });
    return [...declared, ...removed];
  }
}

function namesOf(declared: readonly { name: string }[], own: readonly string[]): string[] {
  return [...new Set([...declared.map(({ name }) => name), ...own])];
}

function replyOf(steps: readonly ApplyStep[], dryRun: boolean): ApplyReply {
  const subjects = (outcome: ApplyStep['outcome']) =>
    steps.filter((step) => step.outcome === outcome).map(({ subject }) => subject);
  const secrets = dryRun ? [] : steps.flatMap(({ secret }) => secret ?? []);
  const changed = steps.filter(({ outcome }) => outcome !== 'unchanged');
  return {
    created: subjects('created'),
    updated: subjects('updated'),
    unchanged: subjects('unchanged'),
    deleted: subjects('deleted'),
    takenOver: Object.fromEntries(
      changed.flatMap(({ subject, takenFrom }) => (takenFrom === undefined ? [] : [[subject, takenFrom]])),
    ),
    revisions: Object.fromEntries(changed.map(({ subject, revision }) => [subject, revision])),
    secrets: Object.fromEntries(secrets.map(({ name, value }) => [name, value])),
    tokens: Object.fromEntries(
      dryRun ? [] : steps.flatMap(({ name, token }) => (token === undefined ? [] : [[name, token]])),
    ),
  };
}
