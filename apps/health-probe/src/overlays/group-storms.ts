import { targetSubject, type GroupOutage, type WatchedTarget } from '@tocsin/contracts';
import { ownerOf, recheckDelayMs, type ObserverSeat, type Transition } from '@tocsin/domain';
import { groupOf, SITE_LABEL, type Target } from '../targets/target.js';
import type { StormQuestions } from './storm-questions.js';

/** In smaller groups there are no storms, so nobody has to be asked. */
const MIN_MEMBERS = 3;

export interface GroupStormsDeps {
  questions: Pick<StormQuestions, 'ask' | 'out' | 'forget'>;
  /** Number of a group's members. */
  size: (group: string) => number;
  /** Probe this target again so much later. */
  probeIn: (target: Target, delayMs: number) => void;
  /** It is judged by itself again. */
  onReleased: (subject: string) => void;
}

interface Absorbed {
  target: Target;
  readonly group: string;
  /** The group's own event. */
  event: string;
  /** The outage of the group is over; the next results of the target itself decide. */
  rechecking: boolean;
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
  /** Members that were taken in, by subject. */
  readonly #absorbed = new Map<string, Absorbed>();
  /** The event of the last outage of a group that is over. */
  readonly #over = new Map<string, string>();

  constructor(deps: GroupStormsDeps) {
    this.#deps = deps;
  }

  /** Group outages that last. */
  get outages(): readonly GroupOutage[] {
    return [...this.#outages.values()];
  }

  /** A group is out: news from the bucket. */
  began(outage: GroupOutage): void {
    const { name, event } = outage;
    this.#outages.set(name, outage);
    this.#over.delete(name);
    for (const absorbed of this.#absorbed.values()) {
      if (absorbed.group === name) Object.assign(absorbed, { event, rechecking: false });
    }
    this.#deps.questions.out(name, event);
  }

  /** It is no more. A member that is still down is looked at again before it is told: it may be about to come back with the others. */
  ended(group: string): void {
    const outage = this.#outages.get(group);
    if (outage !== undefined) this.#over.set(group, outage.event);
    this.#outages.delete(group);
    for (const absorbed of this.#absorbed.values()) {
      if (absorbed.group !== group) continue;
      const { target } = absorbed;
      if (isDown(target)) {
        absorbed.rechecking = true;
        this.#deps.probeIn(target, recheckDelayMs(target.subject, target.policy.intervalMs));
      } else {
        this.#release(target);
      }
    }
  }

  /** A probe of a target has ended, and its state is what it is after that. */
  probed(target: Target): void {
    const absorbed = this.#absorbed.get(target.subject);
    if (absorbed === undefined) return;
    absorbed.target = target;
    if (absorbed.rechecking && target.health.phase !== 'recovering') this.#release(target);
  }

  /** Id of the group's event that stands for the target's own, where there is one. */
  causeOf(subject: string): string | undefined {
    return this.#absorbed.get(subject)?.event;
  }

  /** A target is down: is it by itself, or one of many? Never rejects. */
  async ask(target: Target, { episode = '' }: Pick<Transition, 'episode'>): Promise<void> {
    const group = groupOf(target.spec);
    if (group === undefined || this.#deps.size(group) < MIN_MEMBERS) return;
    const known = this.#outages.get(group);
    if (known !== undefined) {
      this.#absorb(target, group, known.event);
      return;
    }
    const verdict = await this.#deps.questions.ask(group, target.subject, episode);
    // An answer may be slower than the end of what it speaks of.
    if (verdict === 'alone' || verdict.causedBy === this.#over.get(group)) return;
    this.#absorb(target, group, verdict.causedBy);
  }

  /** The log says that the target was taken in; it stays so if the outage of its group lasts. */
  restore(target: Target): void {
    const group = groupOf(target.spec);
    const outage = group === undefined ? undefined : this.#outages.get(group);
    if (outage === undefined || this.#absorbed.has(target.subject)) return;
    this.#absorb(target, outage.name, outage.event);
  }

  forget(target: Target): void {
    this.#absorbed.delete(target.subject);
    this.#deps.questions.forget(target.subject);
  }

  #absorb(target: Target, group: string, event: string): void {
    this.#absorbed.set(target.subject, { target, group, event, rechecking: false });
  }

  #release({ subject }: Target): void {
    if (this.#absorbed.delete(subject)) this.#deps.onReleased(subject);
  }
}

function isDown({ health }: Target): boolean {
  return health.phase === 'down' || health.phase === 'recovering';
}

/** Subjects of a group's members. */
export function subjectsOf(members: readonly WatchedTarget[]): string[] {
  return members.map(({ name, spec }) => targetSubject(spec.kind, name));
}
