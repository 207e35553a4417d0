import { nameSchema, parseOrThrow, REGISTRY_EVENTS } from '@tocsin/contracts';
import { type Clock, TocsinError } from '@tocsin/domain';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
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
    precondition?: Precondition;
    /** Check everything, record nothing. */
    dryRun?: boolean;
  }): Promise<void> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const subject = targetDeclarationSubject(name);
    await onCurrentState(this.#log, async () => {
      const standing = (await this.#targets.standing([name])).get(name);
      if (standing?.declared === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no target "${name}"`);
      checkPrecondition(request.precondition ?? {}, standing.declared.revision, subject);
      if (request.dryRun === true) return;
      const { kind } = standing.declared.spec;
      const [state] = await this.#log.newestStates([{ kind, name }]);
      const closing = state === undefined ? undefined : closingEvent({ ...state, nowMs: this.#clock.now() });
      await this.#log.append([
        ...(closing === undefined ? [] : [closing]),
        {
          type: REGISTRY_EVENTS.targetRemoved,
          subject,
          data: { name, actor: request.actor },
          expectedVersion: standing.version,
        },
      ]);
    });
  }
}
