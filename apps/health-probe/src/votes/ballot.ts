import { setTimeout as sleep } from 'node:timers/promises';
import { PROBE_RPC, voteRequestSchema, type Check, type VoteReply } from '@tocsin/contracts';
import { VOTE_PROBE_PAUSE_MS, voteOf, type Clock, type ProbeResult, type VoidedProbe } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';

/** A whole site that dies is asked about at once, and each vote on a target that hangs takes two time-outs. */
const AT_ONCE = 1_000;
const WAITING = 10_000;

export interface BallotDeps {
  observer: string;
  broker: Pick<Broker, 'serve'>;
  clock: Clock;
  check: (check: Check) => Promise<ProbeResult | VoidedProbe>;
  /** An observer that is cut off has no opinion on others. */
  isolated: () => boolean;
}

/** Answers the suspicions of other observers: probes twice, half a second apart, and says `fail` only if both fail. */
export class Ballot {
  readonly #deps: BallotDeps;
  #serving: Serving | undefined;

  constructor(deps: BallotDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#serving = this.#deps.broker.serve(`${PROBE_RPC.votePrefix}.${this.#deps.observer}`, {
      schema: voteRequestSchema,
      handle: ({ check }) => this.#vote(check),
      concurrency: AT_ONCE,
      maxWaiting: WAITING,
    });
  }

  async stop(): Promise<void> {
    await this.#serving?.close();
  }

  async #vote(check: Check): Promise<VoteReply> {
    const { observer, clock } = this.#deps;
    const startedMs = clock.now();
    if (this.#deps.isolated()) {
      const detail = 'the observer is isolated';
      return { vote: 'abstain', evidence: { observer, atMs: startedMs, outcome: 'abstain', detail, durationMs: 0 } };
    }
    const probes = [await this.#deps.check(check)];
    let atMs = startedMs;
    if (voteOf(probes) !== 'pass') {
      await sleep(VOTE_PROBE_PAUSE_MS);
      atMs = clock.now();
      probes.push(await this.#deps.check(check));
    }
    // Cut off meanwhile: what it saw may have been its own trouble.
    const vote = this.#deps.isolated() ? 'abstain' : voteOf(probes);
    const last = probes.at(-1);
    return {
      vote,
      evidence: {
        observer,
        atMs,
        outcome: vote === 'abstain' || last?.kind !== 'result' ? 'abstain' : last.outcome,
        ...(last?.kind === 'result' && last.phase !== undefined ? { phase: last.phase } : {}),
        detail: last?.detail ?? '',
        durationMs: last?.durationMs ?? 0,
      },
    };
  }
}
