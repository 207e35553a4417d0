import {
  PROBE_RPC,
  stormReplySchema,
  targetSubject,
  type GroupOutage,
  type StormRequest,
  type WatchedTarget,
} from '@tocsin/contracts';
import { ownerOf, type ObserverSeat } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import { groupOf, SITE_LABEL, type Target } from '../targets/target.js';

/** The keeper collects for five seconds and reads the log. Whoever gets no answer tells by himself: nobody is kept silent by a keeper that is gone. */
const ANSWER_MS = 10_000;
/** In smaller groups there are no storms, so nobody has to be asked. */
const MIN_MEMBERS = 3;

export interface GroupStormsDeps {
  broker: Pick<Broker, 'request'>;
  logger: Logger;
  members: (group: string) => readonly WatchedTarget[];
  seats: () => readonly ObserverSeat[];
  /** The outage of its group has ended: it is judged by itself again. */
  onReleased: (subject: string) => void;
}

/** The observer that keeps a group: it decides for all what is an outage of the group. */
export function keeperOf(group: string, seats: readonly ObserverSeat[]): string | undefined {
  const [label, site] = group.split('=');
  return ownerOf(`group/${group}`, label === SITE_LABEL ? site : undefined, seats);
}

/** Knows which groups are out as a whole, and which of their members are told to nobody because of that. */
export class GroupStorms {
  readonly #deps: GroupStormsDeps;
  readonly #outages = new Map<string, GroupOutage>();
  /** Members that were taken in, and by which event. */
  readonly #absorbed = new Map<string, { group: string; event: string }>();

  constructor(deps: GroupStormsDeps) {
    this.#deps = deps;
  }

  /** Group outages that last. */
  get outages(): readonly GroupOutage[] {
    return [...this.#outages.values()];
  }

  /** A group is out: news from the bucket. */
  began(outage: GroupOutage): void {
    this.#outages.set(outage.name, outage);
  }

  ended(group: string): void {
    this.#outages.delete(group);
    for (const [subject, absorbed] of this.#absorbed) {
      if (absorbed.group !== group) continue;
      this.#absorbed.delete(subject);
      this.#deps.onReleased(subject);
    }
  }

  /** Id of the group's event that stands for the target's own, where there is one. */
  causeOf(subject: string): string | undefined {
    return this.#absorbed.get(subject)?.event;
  }

  /** A target is down: is it by itself, or one of many? Never rejects. */
  async ask(target: Target): Promise<void> {
    const group = groupOf(target.spec);
    if (group === undefined || !this.#canStorm(group)) return;
    const known = this.#outages.get(group);
    if (known !== undefined) {
      this.#absorbed.set(target.subject, { group, event: known.event });
      return;
    }
    const keeper = keeperOf(group, this.#deps.seats());
    if (keeper === undefined) return;
    const request: StormRequest = { group, subject: target.subject };
    try {
      const options = { timeoutMs: ANSWER_MS, schema: stormReplySchema };
      const { causedBy } = await this.#deps.broker.request(`${PROBE_RPC.stormPrefix}.${keeper}`, request, options);
      if (causedBy !== undefined) this.#absorbed.set(target.subject, { group, event: causedBy });
    } catch (error) {
      this.#deps.logger.debug({ err: error, group, keeper }, 'the keeper of a group does not answer');
    }
  }

  /** The log says that the target was taken in; it stays so if the outage of its group lasts. */
  restore(target: Target): void {
    const group = groupOf(target.spec);
    const outage = group === undefined ? undefined : this.#outages.get(group);
    if (outage === undefined || this.#absorbed.has(target.subject)) return;
    this.#absorbed.set(target.subject, { group: outage.name, event: outage.event });
  }

  forget(target: Target): void {
    this.#absorbed.delete(target.subject);
  }

  #canStorm(group: string): boolean {
    return this.#deps.members(group).length >= MIN_MEMBERS;
  }
}

/** Subjects of a group's members. */
export function subjectsOf(members: readonly WatchedTarget[]): string[] {
  return members.map(({ name, spec }) => targetSubject(spec.kind, name));
}
