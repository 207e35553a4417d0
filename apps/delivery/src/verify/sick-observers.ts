import { healthEventDataSchema, HEALTH_PROBE_SOURCE, OBSERVER_EVENTS, type HealthEventData } from '@tocsin/contracts';
import { type RecordedEvent, verdictOf } from '@tocsin/domain';
import type { MatchedPart } from './matched-log.js';
import { Findings, type PromiseCheck, type PromiseVerdict } from './promise.js';

/** Words of observers that are remembered: an observer that was cut off can say so only when it is back. */
const MOST_WORDS = 10_000;

/** An observer's word that a target failed. */
interface FailWord {
  observer: string;
  atMs: number;
  position: number;
  subject: string;
}

/**
 * Promise 4: no outage without evidence that carries it: the votes confirm it, as many observers as it says have seen it, and none of
 * them was cut off at that time. What an observer's own trouble does to it is `unknown`, and an event about the observer.
 */
export class SickObservers implements PromiseCheck {
  readonly #findings = new Findings();
  readonly #words: FailWord[] = [];
  readonly #isolatedAtMs = new Map<string, number>();
  #quorum = 0;
  #single = 0;
  #isolations = 0;

  take({ events }: MatchedPart): void {
    for (const event of events) {
      if (event.source !== HEALTH_PROBE_SOURCE) continue;
      if (event.type.endsWith('.offline')) this.#outage(event);
      else if (event.type === OBSERVER_EVENTS.isolated) this.#isolated(event);
      else if (event.type === OBSERVER_EVENTS.rejoined) this.#rejoined(event);
    }
  }

  verdict(): PromiseVerdict {
    const checked =
      `outages recorded: ${this.#quorum + this.#single}, confirmed by a quorum: ${this.#quorum}, by one observer that says so: ` +
      `${this.#single}; observers cut off: ${this.#isolations}`;
    return this.#findings.verdict(4, checked);
  }

  #outage(event: RecordedEvent): void {
    const data = healthEventDataSchema.safeParse(event.data).data;
    const where = `event ${event.position}, ${event.subject} offline`;
    if (data === undefined) {
      this.#findings.add(`${where}: says nothing of what was seen`);
      return;
    }
    if (data.confidence === 'quorum') this.#quorum += 1;
    else this.#single += 1;
    const fault = faultOf(data);
    if (fault !== undefined) this.#findings.add(`${where}: ${fault}`);
    for (const { observer, at, outcome } of data.evidence) {
      if (outcome !== 'fail') continue;
      this.#words.push({ observer, atMs: Date.parse(at), position: event.position, subject: event.subject });
    }
    if (this.#words.length > 2 * MOST_WORDS) this.#words.splice(0, this.#words.length - MOST_WORDS);
  }

  #isolated(event: RecordedEvent): void {
    const observer = observerOf(event);
    if (observer === undefined) return;
    this.#isolations += 1;
    // Said twice: it was restarted in between, and was there.
    this.#isolatedAtMs.set(observer, Date.parse(event.time));
  }

  #rejoined(event: RecordedEvent): void {
    const observer = observerOf(event);
    const sinceMs = observer === undefined ? undefined : this.#isolatedAtMs.get(observer);
    if (observer === undefined || sinceMs === undefined) return;
    this.#isolatedAtMs.delete(observer);
    const untilMs = Date.parse(event.time);
    for (const word of this.#words) {
      if (word.observer !== observer || word.atMs <= sinceMs || word.atMs >= untilMs) continue;
      this.#findings.add(
        `event ${word.position}, ${word.subject} offline: rests on ${observer}, which was cut off then`,
      );
    }
  }
}

/** Why the evidence does not carry the outage. */
function faultOf({ confidence, votes, evidence }: HealthEventData): string | undefined {
  const failed = new Set(evidence.filter(({ outcome }) => outcome === 'fail').map(({ observer }) => observer));
  if (failed.size === 0) return 'nobody has seen it fail';
  if (confidence === 'single') {
    return votes !== undefined && verdictOf(votes) === 'refused' ? 'the other observers had refused it' : undefined;
  }
  if (votes === undefined || verdictOf(votes) !== 'confirmed') return 'the votes do not confirm it';
  return failed.size < votes.fail ? `${votes.fail} votes, and ${failed.size} observers that saw it fail` : undefined;
}

function observerOf({ data }: RecordedEvent): string | undefined {
  const observer = data !== null && typeof data === 'object' && !Array.isArray(data) ? data['observer'] : undefined;
  return typeof observer === 'string' ? observer : undefined;
}
