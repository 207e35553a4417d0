import { PROBE_RPC, voteReplySchema, type VoteRequest } from '@tocsin/contracts';
import { votersFor, type Clock, type Evidence, type ObserverSeat, type VoteCast } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { inSpan } from '@tocsin/tracing';
import type { Target } from '../targets/target.js';
import type { Electorate } from './electorate.js';

/** Two others make three votes with the owner's: a majority that one wrong voter cannot turn. */
const ASKED = 2;

export interface PeerElectorateDeps {
  self: ObserverSeat;
  broker: Pick<Broker, 'request'>;
  clock: Clock;
  /** Observers that are alive and not isolated. */
  seats: () => readonly ObserverSeat[];
}

/** Puts a suspicion to other observers over NATS. Each probes for itself; who does not answer abstains. */
export class PeerElectorate implements Electorate {
  readonly #deps: PeerElectorateDeps;

  constructor(deps: PeerElectorateDeps) {
    this.#deps = deps;
  }

  voters(): number {
    const { self, seats } = this.#deps;
    let voters = 1;
    for (const seat of seats()) if (seat.id !== self.id) voters += 1;
    return voters;
  }

  async ask(target: Target, deadlineMs: number): Promise<VoteCast[]> {
    const { self, seats } = this.#deps;
    const asked = votersFor(target.subject, self, seats(), ASKED);
    if (asked.length === 0) return [];
    const attributes = { 'tocsin.subject': target.subject, 'tocsin.observer': self.id };
    return inSpan('vote', { parent: 'none', attributes }, async (span) => {
      const votes = await Promise.all(asked.map((seat) => this.#askOne(seat, target, deadlineMs)));
      for (const kind of ['fail', 'pass', 'abstain'] as const) {
        span.setAttribute(`tocsin.votes.${kind}`, votes.filter(({ vote }) => vote === kind).length);
      }
      return votes;
    });
  }

  async #askOne(seat: ObserverSeat, target: Target, deadlineMs: number): Promise<VoteCast> {
    const { broker, clock, self } = this.#deps;
    const atMs = clock.now();
    const request: VoteRequest = { target: target.name, by: self.id, check: target.spec.check };
    const options = { timeoutMs: deadlineMs, schema: voteReplySchema };
    try {
      const { vote, evidence } = await broker.request(`${PROBE_RPC.votePrefix}.${seat.id}`, request, options);
      const { phase, ...word } = evidence;
      return { vote, evidence: { ...word, ...(phase === undefined ? {} : { phase }) } };
    } catch {
      const durationMs = clock.now() - atMs;
      const evidence: Evidence = { observer: seat.id, atMs, outcome: 'abstain', detail: 'no answer', durationMs };
      return { vote: 'abstain', evidence };
    }
  }
}
