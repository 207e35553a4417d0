import {
  type ApplyReply,
  type ApplyRequest,
  applyRequestSchema,
  parseOrThrow,
  requireWholeText,
} from '@tocsin/contracts';
import { onCurrentState } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { appendSealed } from '../subscriptions/append-sealed.js';
import type { SecretSource, DestinationCheck } from '../subscriptions/plan-subscription.js';
import type { SealedStore } from '../subscriptions/sealed-store.js';
import type { SubscriptionStore } from '../subscriptions/subscription-store.js';
import type { TargetStore } from '../targets/target-store.js';
import { inChunks } from './chunks.js';
import { type ApplyStep, planApply } from './plan-apply.js';

/** Declares many targets and subscriptions at once: what `tocsin.yaml` says. */
export class ApplyDeclarations {
  readonly #log: RegistryLog;
  readonly #targets: TargetStore;
  readonly #subscriptions: SubscriptionStore;
  readonly #seals: SealedStore;
  readonly #checkDestination: DestinationCheck;
  readonly #secrets: SecretSource;

  constructor(parts: {
    log: RegistryLog;
    targets: TargetStore;
    subscriptions: SubscriptionStore;
    seals: SealedStore;
    checkDestination: DestinationCheck;
    secrets: SecretSource;
  }) {
    this.#log = parts.log;
    this.#targets = parts.targets;
    this.#subscriptions = parts.subscriptions;
    this.#seals = parts.seals;
    this.#checkDestination = parts.checkDestination;
    this.#secrets = parts.secrets;
  }

  /**
   * Validates all of it, then records what differs: all or nothing up to what one append carries (1,000 events), more in several.
   * An apply that ends half-way is finished by applying the same again.
   * @param request.body an ApplyRequest as somebody sent it
   * @throws TocsinError `TCN_INVALID` or `TCN_EGRESS_BLOCKED` with faults that point into the body, nothing is recorded then; those of
   *   `RegistryLog.append`
   */
  async run(request: { body: unknown; actor: string }): Promise<ApplyReply> {
    requireWholeText(request.body, 'apply');
    const wanted = parseOrThrow(applyRequestSchema, request.body, 'apply');
    const done = new Map<string, ApplyStep>();
    const remaining = await onCurrentState(this.#log, async () => {
      const steps = await this.#plan(wanted, request.actor);
      if (wanted.dryRun) return steps;
      for (const chunk of inChunks(steps.filter((step) => step.declaration !== undefined))) {
        await appendSealed(
          this.#log,
          this.#seals,
          chunk.flatMap(({ declaration }) => declaration ?? []),
          chunk.flatMap(({ seal }) => seal ?? []),
        );
        for (const step of chunk) done.set(step.subject, step);
      }
      return steps;
    });
    // After a conflict the plan was made anew, and what an earlier round had recorded looked unchanged to it.
    return replyOf(
      remaining.map((step) => done.get(step.subject) ?? step),
      wanted.dryRun,
    );
  }

  async #plan(wanted: ApplyRequest, actor: string): Promise<ApplyStep[]> {
    return planApply(wanted, {
      targets: await this.#targets.standing(wanted.targets.map(({ name }) => name)),
      subscriptions: await this.#subscriptions.standing(wanted.subscriptions.map(({ name }) => name)),
      seals: this.#seals,
      actor,
      checkDestination: this.#checkDestination,
      secrets: this.#secrets,
    });
  }
}

function replyOf(steps: readonly ApplyStep[], dryRun: boolean): ApplyReply {
  const subjects = (outcome: ApplyStep['outcome']) =>
    steps.filter((step) => step.outcome === outcome).map(({ subject }) => subject);
  const secrets = dryRun ? [] : steps.flatMap(({ secret }) => secret ?? []);
  return {
    created: subjects('created'),
    updated: subjects('updated'),
    unchanged: subjects('unchanged'),
    secrets: Object.fromEntries(secrets.map(({ name, value }) => [name, value])),
  };
}
