import { nameSchema, parseOrThrow, REGISTRY_EVENTS } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { targetDeclarationSubject } from '../projection/change.js';
import type { TargetStore } from './target-store.js';

/** Removes a target. What was recorded about it stays in the log, and the name may be declared again. */
export class RemoveTarget {
  readonly #log: RegistryLog;
  readonly #targets: TargetStore;

  constructor(log: RegistryLog, targets: TargetStore) {
    this.#log = log;
    this.#targets = targets;
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
      await this.#log.append([
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
