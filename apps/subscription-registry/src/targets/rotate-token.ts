import { nameSchema, parseOrThrow, REGISTRY_EVENTS, rotateTokenSchema, type TargetView } from '@tocsin/contracts';
import { type Clock, parseDuration, TocsinError } from '@tocsin/domain';
import { inScope } from '../access/scope.js';
import { checkPrecondition, onCurrentState } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { targetDeclarationSubject } from '../projection/change.js';
import type { DeclareRequest } from './declare-target.js';
import { rotatedTokens } from './heartbeat-tokens.js';
import type { TargetStore } from './target-store.js';

/** Gives a heartbeat a new token; for a while the old one is taken too. */
export class RotateToken {
  readonly #log: RegistryLog;
  readonly #targets: TargetStore;
  readonly #clock: Clock;

  constructor(log: RegistryLog, targets: TargetStore, clock: Clock) {
    this.#log = log;
    this.#targets = targets;
    this.#clock = clock;
  }

  /**
   * @param request.body what `rotateTokenSchema` takes; nothing for the usual overlap
   * @returns the target with its new token, this once
   * @throws TocsinError `TCN_NOT_FOUND`, `TCN_INVALID`, `TCN_PRECONDITION_FAILED`, `TCN_CONFLICT` for a target that is no heartbeat, and while
   *   three tokens are live; those of `RegistryLog.append`
   */
  async run(request: Omit<DeclareRequest, 'dryRun'> & { body: unknown }): Promise<TargetView> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const { overlap } = parseOrThrow(rotateTokenSchema, request.body ?? {}, 'rotation');
    const subject = targetDeclarationSubject(name);
    const token = await onCurrentState(this.#log, async () => {
      const standing = (await this.#targets.standing([name])).get(name);
      if (standing?.declared === undefined || !inScope(standing.declared.spec.labels, request.scope)) {
        throw new TocsinError('TCN_NOT_FOUND', `there is no target "${name}"`);
      }
      const { spec, revision, heartbeat, owner } = standing.declared;
      checkPrecondition(request.precondition ?? {}, revision, subject);
      if (heartbeat === undefined) throw new TocsinError('TCN_CONFLICT', `${subject} has no token: it is no heartbeat`);
      const rotated = rotatedTokens(heartbeat, this.#clock.now(), parseDuration(overlap) ?? 0);
      await this.#log.append([
        {
          type: REGISTRY_EVENTS.targetUpdated,
          subject,
          data: {
            ...{ name, actor: request.actor, ...(owner === undefined ? {} : { owner }), labels: spec.labels, spec },
            heartbeat: rotated.heartbeat,
            reason: 'token rotated',
          },
          expectedVersion: standing.version,
        },
      ]);
      return rotated.token;
    });
    const shown = await this.#targets.find(name);
    if (shown === undefined)
      throw new TocsinError('TCN_CONFLICT', `${subject} was removed while its token was rotated`);
    return { ...shown, token };
  }
}
