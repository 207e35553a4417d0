import { HEALTH_PROBE_SOURCE } from '@tocsin/contracts';
import { isWithheld, type RecordedEvent } from '@tocsin/domain';
import { deliveryKey } from '../ledger/records.js';
import type { Accepted, MatchedPart } from './matched-log.js';
import type { DeliveryFate } from './part-fates.js';
import { Findings, type PromiseCheck, type PromiseVerdict } from './promise.js';

const STATE_FACT = /\.(?:offline|online|degraded|restored|unknown)$/;

/** Who was told that something began, or is owed it. */
interface Holder {
  position: number;
  inOrder: boolean;
  fate: DeliveryFate;
}

/** What subscribers were told of a subject last. */
interface Told {
  to: string;
  position: number;
  /** While it is not `up`: by subscription. */
  holders: Map<string, Holder>;
}

/**
 * Promise 2: whoever was told that something went down, or is owed it, is told that it came back, in that order; and nothing is announced
 * twice. A subscription that asks for beginnings only, or was removed or changed in between, is owed no end.
 */
export class OutagesEnd implements PromiseCheck {
  readonly #told = new Map<string, Told>();
  readonly #findings = new Findings();
  #begun = 0;
  #ended = 0;
  #ends = 0;

  take({ events, accepted }: MatchedPart, fates: ReadonlyMap<string, DeliveryFate>): void {
    const byPosition = Map.groupBy(accepted, ({ event }) => event.position);
    for (const event of events) {
      const change = announced(event);
      if (change !== undefined) this.#announced(event, change, byPosition.get(event.position) ?? [], fates);
    }
  }

  verdict(): PromiseVerdict {
    const last = [...this.#told.values()].filter(({ to }) => to !== 'up').length;
    const checked =
      `outages announced: ${this.#begun}, of which ${this.#ended} ended and ${last} last; ` +
      `ends that went where the beginning went: ${this.#ends}`;
    return this.#findings.verdict(2, checked);
  }

  #announced(
    event: RecordedEvent,
    { from, to }: { from: string; to: string },
    accepted: readonly Accepted[],
    fates: ReadonlyMap<string, DeliveryFate>,
  ): void {
    const { subject, position } = event;
    const before = this.#told.get(subject);
    if (before?.to === to) {
      this.#findings.add(`event ${position} announces ${subject} ${to}, and so did event ${before.position} before it`);
    } else if (before !== undefined && before.to !== from && !(before.to === 'up' && from === 'pending')) {
      const known = `event ${before.position} had announced ${before.to}`;
      this.#findings.add(`event ${position} announces ${subject} from ${from} to ${to}, and ${known}`);
    }
    const holders = before?.holders ?? new Map<string, Holder>();
    if (to === 'up') {
      if (before !== undefined && before.to !== 'up') this.#ended += 1;
      this.#end(event, holders, accepted, fates);
      this.#told.set(subject, { to, position, holders: new Map() });
      return;
    }
    if (before === undefined || before.to === 'up') this.#begun += 1;
    for (const { revision } of accepted) {
      const fate = fates.get(deliveryKey(revision.name, position));
      // Whose ledger knows nothing of it counts among what is lost.
      if (fate?.state === undefined || holders.has(revision.name)) continue;
      holders.set(revision.name, { position, inOrder: revision.spec.order === 'subject', fate });
    }
    this.#told.set(subject, { to, position, holders });
  }

  #end(
    { position, subject }: RecordedEvent,
    holders: ReadonlyMap<string, Holder>,
    accepted: readonly Accepted[],
    fates: ReadonlyMap<string, DeliveryFate>,
  ): void {
    for (const { revision } of accepted) {
      const holder = holders.get(revision.name);
      if (holder === undefined) continue;
      const fate = fates.get(deliveryKey(revision.name, position));
      const both = `${revision.name}: ${subject} began with event ${holder.position}, and its end, event ${position},`;
      if (fate?.state === undefined) this.#findings.add(`${both} is nowhere`);
      else if (isBefore(fate, holder)) this.#findings.add(`${both} was delivered first`);
      else this.#ends += 1;
    }
  }
}

/** What was given up and asked for again by hand comes when it is asked for. */
function isBefore(end: DeliveryFate, { fate: begin, inOrder }: Holder): boolean {
  if (!inOrder || begin.givenUp || begin.deliveredAtMs === undefined || end.deliveredAtMs === undefined) return false;
  return end.deliveredAtMs < begin.deliveredAtMs;
}

/** From where to where, of an event that announces a target's state. */
function announced(event: RecordedEvent): { from: string; to: string } | undefined {
  if (event.source !== HEALTH_PROBE_SOURCE || !STATE_FACT.test(event.type) || isWithheld(event)) return undefined;
  const { data } = event;
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return undefined;
  const { from, to } = data;
  return typeof from === 'string' && typeof to === 'string' ? { from, to } : undefined;
}
