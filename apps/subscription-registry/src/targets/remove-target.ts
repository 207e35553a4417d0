import { nameSchema, parseOrThrow, REGISTRY_EVENTS, type TargetKind } from '@tocsin/contracts';
import { type Clock, TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { inScope } from '../access/scope.js';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { Declaration, RegistryLog } from '../log/registry-log.js';
import { targetDeclarationSubject } from '../projection/change.js';
import { closingEvent } from './closing-event.js';
import type { TargetStore } from './target-store.js';

/**
 * Removes a target. What was recorded about it stays in the log, and the name may be declared again. An outage that is open ends with it,
 * in the same append: whoever was told of its beginning is told of its end.
 */
export class RemoveTarget {
  readonly #log: RegistryLog;
  readonly #targets: TargetStore;
  readonly #clock: Clock;

  constructor(log: RegistryLog, targets: TargetStore, clock: Clock) {
    this.#log = log;
    this.#targets = targets;
    this.#clock = clock;
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
    const subject = targetDeclarationSubject(name);
    await onCurrentState(this.#log, async () => {
      const standing = (await this.#targets.standing([name])).get(name);
      if (standing?.declared === undefined || !inScope(standing.declared.spec.labels, request.scope)) {
        throw new TocsinError('TCN_NOT_FOUND', `there is no target "${name}"`);
      }
      checkPrecondition(request.precondition ?? {}, standing.declared.revision, subject);
      if (request.dryRun === true) return;
      const { kind } = standing.declared.spec;
      const removals = [{ kind, name, version: standing.version }];
      await this.#log.append((await removalsOf(removals, this.#log, request.actor, this.#clock.now())).flat());
    });
  }
}

/** For each target what has to be recorded so that it is there no longer, and an outage that is open with it. */
export async function removalsOf(
  targets: readonly { kind: TargetKind; name: string; version: number }[],
  log: Pick<RegistryLog, 'newestStates'>,
  actor: string,
  nowMs: number,
): Promise<Declaration[][]> {
  if (targets.length === 0) return [];
  const states = await log.newestStates(targets.map(({ kind, name }) => ({ kind, name })));
  const closings = new Map(states.map((state) => [state.name, closingEvent({ ...state, nowMs })]));
  return targets.map(({ name, version }): Declaration[] => {
    const closing = closings.get(name);
    return [
      ...(closing === undefined ? [] : [closing]),
      {
        type: REGISTRY_EVENTS.targetRemoved,
        subject: targetDeclarationSubject(name),
        data: { name, actor },
        expectedVersion: version,
      },
    ];
  });
}
