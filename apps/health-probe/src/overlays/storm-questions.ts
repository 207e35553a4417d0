import {
  PROBE_RPC,
  STORM_MEMBERS_AT_ONCE,
  stormReplySchema,
  type StormReply,
  type StormRequest,
} from '@tocsin/contracts';
import type { Clock } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { type Logger, pause } from '@tocsin/platform';

/** How often the keeper is asked about those who wait, all of them in one question. Whoever is the first is asked about at once. */
const PERIOD_MS = 250;
/** A keeper answers at once, if only that it has not decided; one that is busy has this long. */
const ANSWER_MS = 2_000;
/** Long enough for another observer to keep the group in place of one that is gone. Whoever gets no answer for so long tells by himself. */
const PATIENCE_MS = 10_000;

/** What became of a member: told by itself, or to nobody because of the group's event. */
export type StormVerdict = { causedBy: string } | 'alone';

export interface StormQuestionsDeps {
  broker: Pick<Broker, 'request'>;
  clock: Clock;
  logger: Logger;
  /** Who decides about a group now. */
  keeperOf: (group: string) => string | undefined;
}

interface Waiting {
  readonly episode: string;
  readonly settle: (verdict: StormVerdict) => void;
}

interface Question {
  readonly group: string;
  readonly members: Map<string, Waiting>;
  /** Since when the group's members have been collected, monotonic: the first of them has been told. */
  collectedSinceMs: number | undefined;
  /** Since when no keeper has answered. */
  silentSinceMs: number | undefined;
}

/**
 * Asks the keepers of groups about members that are down, until each is decided. Every question names all that still wait here, so an answer that
 * is lost costs nothing, and a keeper that takes over in the middle knows them all.
 */
export class StormQuestions {
  readonly #deps: StormQuestionsDeps;
  readonly #questions = new Map<string, Question>();
  readonly #asking = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(deps: StormQuestionsDeps) {
    this.#deps = deps;
  }

  /** Waits for the word on a member that is down. Never rejects. */
  ask(group: string, subject: string, episode: string): Promise<StormVerdict> {
    if (this.#abort.signal.aborted) return Promise.resolve('alone');
    return new Promise((settle) => {
      const known = this.#questions.get(group);
      const question: Question = known ?? {
        ...{ group, members: new Map<string, Waiting>() },
        ...{ collectedSinceMs: undefined, silentSinceMs: undefined },
      };
      question.members.get(subject)?.settle('alone');
      question.members.set(subject, { episode, settle });
      if (known !== undefined) return;
      this.#questions.set(group, question);
      const asking = this.#askFor(question).finally(() => this.#asking.delete(asking));
      this.#asking.add(asking);
    });
  }

  /** The group is out: nobody of it waits any longer. */
  out(group: string, causedBy: string): void {
    const question = this.#questions.get(group);
    for (const subject of question?.members.keys() ?? []) this.#settle(question, subject, { causedBy });
  }

  /** The target is not watched here any more. */
  forget(subject: string): void {
    for (const question of this.#questions.values()) this.#settle(question, subject, 'alone');
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#asking);
    for (const question of this.#questions.values()) this.#settleAll(question);
  }

  async #askFor(question: Question): Promise<void> {
    const { signal } = this.#abort;
    // Whoever goes down in the same turn of the loop is in the same question.
    await Promise.resolve();
    while (question.members.size > 0 && !signal.aborted) {
      const members = [...question.members].map(([subject, { episode }]) => ({ subject, episode }));
      for (let start = 0; start < members.length && !signal.aborted; start += STORM_MEMBERS_AT_ONCE) {
        await this.#askKeeper(question, members.slice(start, start + STORM_MEMBERS_AT_ONCE));
      }
      if (question.members.size > 0) await pause(PERIOD_MS, signal);
    }
    if (!signal.aborted) this.#questions.delete(question.group);
  }

  async #askKeeper(question: Question, members: StormRequest['members']): Promise<void> {
    const { broker, clock, logger, keeperOf } = this.#deps;
    const { group, collectedSinceMs } = question;
    const keeper = keeperOf(group);
    if (keeper === undefined) {
      this.#settleAll(question);
      return;
    }
    const collectedMs = collectedSinceMs === undefined ? 0 : Math.max(1, clock.monotonicMs() - collectedSinceMs);
    const request: StormRequest = { group, members, collectedMs };
    try {
      const options = { timeoutMs: ANSWER_MS, schema: stormReplySchema };
      this.#answered(question, await broker.request(`${PROBE_RPC.stormPrefix}.${keeper}`, request, options));
    } catch (error) {
      logger.debug({ err: error, group, keeper }, 'the keeper of a group does not answer');
      this.#unanswered(question);
    }
  }

  #answered(question: Question, { alone, absorbed, causedBy, collectedMs }: StormReply): void {
    question.silentSinceMs = undefined;
    question.collectedSinceMs = this.#deps.clock.monotonicMs() - collectedMs;
    for (const subject of alone) this.#settle(question, subject, 'alone');
    if (causedBy !== undefined) for (const subject of absorbed) this.#settle(question, subject, { causedBy });
  }

  #unanswered(question: Question): void {
    const nowMs = this.#deps.clock.monotonicMs();
    question.silentSinceMs ??= nowMs;
    if (nowMs - question.silentSinceMs >= PATIENCE_MS) {
      this.#settleAll(question);
    } else if (question.collectedSinceMs === undefined) {
      // The first is told without a keeper, too; the others wait for the next one.
      const [first] = question.members.keys();
      if (first !== undefined) this.#settle(question, first, 'alone');
      question.collectedSinceMs = nowMs;
    }
  }

  #settleAll(question: Question): void {
    for (const subject of question.members.keys()) this.#settle(question, subject, 'alone');
  }

  #settle(question: Question | undefined, subject: string, verdict: StormVerdict): void {
    question?.members.get(subject)?.settle(verdict);
    question?.members.delete(subject);
  }
}
