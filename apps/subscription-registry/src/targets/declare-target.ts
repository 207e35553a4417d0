import {
  nameSchema,
  parseOrThrow,
  REGISTRY_EVENTS,
  requireWholeText,
  type TargetSpec,
  targetSpecSchema,
  type TargetView,
} from '@tocsin/contracts';
import { type Clock, TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { isDeepStrictEqual } from 'node:util';
import { inScope, requireFreeName, requireInScope } from '../access/scope.js';
import { faultAt } from '../request/fault.js';
import { mergePatch } from '../request/merge-patch.js';
import { splitName } from '../request/name.js';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { Outcome } from '../log/outcome.js';
import type { Declaration, RegistryLog } from '../log/registry-log.js';
import { targetDeclarationSubject } from '../projection/change.js';
import { tokensAfter } from './heartbeat-tokens.js';
import { type IcmpAbility, requirePossible } from './icmp-ability.js';
import type { StandingTarget, TargetStore } from './target-store.js';

/** Who wants to declare what, and on what condition. */
export interface DeclareRequest {
  readonly name: string;
  /** Name of the API key the request came with. */
  readonly actor: string;
  /** Labels of all that the caller may see and change; absent: everything. */
  readonly scope?: Scope;
  readonly precondition?: Precondition;
  /** Check everything, say what would be, record nothing. */
  readonly dryRun?: boolean;
}

/** A target as it stands after it was declared. */
export interface DeclaredTarget {
  readonly outcome: Outcome;
  /** With the token of a heartbeat if it was made now, this once. */
  readonly target: TargetView;
}

/** Declares a target: creates it, or replaces its declaration as a whole. */
export class DeclareTarget {
  readonly #log: RegistryLog;
  readonly #targets: TargetStore;
  readonly #icmp: Pick<IcmpAbility, 'fault'>;
  readonly #clock: Clock;

  constructor(log: RegistryLog, targets: TargetStore, icmp: Pick<IcmpAbility, 'fault'>, clock: Clock) {
    this.#log = log;
    this.#targets = targets;
    this.#icmp = icmp;
    this.#clock = clock;
  }

  /**
   * @param request.body the declaration as somebody sent it; it may repeat the name
   * @throws TocsinError `TCN_INVALID` with faults that point into the body; those of `requireInScope` and `requireFreeName`; `TCN_PRECONDITION_FAILED`; those of
   *   `RegistryLog.append`
   */
  async run(request: DeclareRequest & { body: unknown }): Promise<DeclaredTarget> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const spec = parseTargetSpec(name, splitName(name, request.body));
    return this.#declare(name, request, () => spec);
  }

  /**
   * Changes the fields that a JSON Merge Patch names and leaves the others.
   * @throws TocsinError as {@link run}, and `TCN_NOT_FOUND`
   */
  async patch(request: DeclareRequest & { patch: unknown }): Promise<DeclaredTarget> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    return this.#declare(name, request, (current) => {
      if (current === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no target "${name}"`);
      return parseTargetSpec(name, mergePatch(current, splitName(name, request.patch)));
    });
  }

  async #declare(
    name: string,
    request: DeclareRequest,
    specOf: (current: TargetSpec | undefined) => TargetSpec,
  ): Promise<DeclaredTarget> {
    const { outcome, spec, token } = await onCurrentState(this.#log, async () => {
      const standing = (await this.#targets.standing([name])).get(name) ?? { version: 0 };
      const subject = targetDeclarationSubject(name);
      const now = standing.declared?.spec;
      // What cannot be seen is not there to be patched, and a name that is taken to be declared.
      if (now !== undefined && !inScope(now.labels, request.scope)) specOf(undefined);
      requireFreeName(subject, request.scope, now?.labels);
      checkPrecondition(request.precondition ?? {}, standing.declared?.revision, subject);
      const wanted = specOf(now);
      requireInScope({ subject, scope: request.scope, wanted: wanted.labels, pointer: '/labels' });
      const plan = planTarget({ name, spec: wanted, standing, actor: request.actor });
      if (plan.declaration !== undefined) requirePossible(wanted, await this.#icmp.fault([wanted]));
      if (plan.declaration !== undefined && request.dryRun !== true) await this.#log.append([plan.declaration]);
      return { ...plan, spec: wanted };
    });
    const target = await this.#targets.find(name);
    if (request.dryRun === true) return { outcome, target: asDeclared(name, spec, target, this.#clock.now()) };
    if (target === undefined) throw new TocsinError('TCN_CONFLICT', `target/${name} was removed while it was declared`);
    return { outcome, target: token === undefined ? target : { ...target, token } };
  }
}

/** How a target would be shown. Revision 0: it has none yet. */
function asDeclared(name: string, spec: TargetSpec, now: TargetView | undefined, nowMs: number): TargetView {
  const time = new Date(nowMs).toISOString();
  if (now === undefined || now.kind !== spec.kind) {
    return {
      name,
      ...spec,
      state: 'pending',
      revision: now?.revision ?? 0,
      createdAt: now?.createdAt ?? time,
      updatedAt: time,
    };
  }
  const { state, stateSince, episode, revision, createdAt, updatedAt } = now;
  return {
    name,
    ...spec,
    state,
    ...(stateSince === undefined ? {} : { stateSince }),
    ...(episode === undefined ? {} : { episode }),
    revision,
    createdAt,
    updatedAt,
  };
}

/**
 * Validates a target's declaration, defaults filled in.
 * @throws TocsinError `TCN_INVALID`
 */
export function parseTargetSpec(name: string, body: unknown): TargetSpec {
  requireWholeText(body, 'target');
  const spec = parseOrThrow(targetSpecSchema, body, 'target');
  checkTargetSpec(name, spec);
  return spec;
}

/** What the schema cannot say. @throws TocsinError `TCN_INVALID` */
export function checkTargetSpec(name: string, spec: TargetSpec): void {
  if (spec.parent === name) throw faultAt('TCN_INVALID', 'target', '/parent', 'must be another target');
}

/** What has to be recorded so that the target stands as `spec` says; nothing if it does already. */
export function planTarget(input: {
  name: string;
  spec: TargetSpec;
  standing: StandingTarget;
  actor: string;
  owner?: string;
}): { outcome: Outcome; declaration?: Declaration; token?: string } {
  const { name, spec, standing, actor, owner } = input;
  const { declared } = standing;
  const sameOwner = owner === undefined || owner === declared?.owner;
  if (declared !== undefined && sameOwner && isDeepStrictEqual(declared.spec, spec)) return { outcome: 'unchanged' };
  // What is known about a target is known by its kind and name: of another kind, it begins anew.
  const begins = declared?.spec.kind !== spec.kind;
  const { heartbeat, token } = tokensAfter(spec, declared?.heartbeat);
  return {
    outcome: declared === undefined ? 'created' : 'updated',
    declaration: {
      type: begins ? REGISTRY_EVENTS.targetRegistered : REGISTRY_EVENTS.targetUpdated,
      subject: targetDeclarationSubject(name),
      data: {
        ...{ name, actor, ...(owner === undefined ? {} : { owner }), labels: spec.labels, spec },
        ...(heartbeat === undefined ? {} : { heartbeat }),
      },
      expectedVersion: standing.version,
    },
    ...(token === undefined ? {} : { token }),
  };
}
