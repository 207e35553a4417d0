import {
  DEFAULT_HEALTH_POLICY,
  VOTE_PROBE_PAUSE_MS,
  decide,
  firstProbeDelayMs,
  initialHealth,
  isIsolated,
  nextProbeDelayMs,
  ownerOf,
  voteOf,
  votersFor,
  type HealthInput,
  type HealthState,
  type Instant,
  type ObserverSeat,
  type ProbeResult,
  type Random,
  type Transition,
  type VoteCast,
} from '@tocsin/domain';
import { seededRandom } from '@tocsin/testing';
import { Windows, type FaultModel } from './fault-model.js';

/** Who watches, and what he knows of his own way out. */
export interface Setup {
  name: string;
  observers: number;
  /** Canaries besides NATS and the other observers. */
  canaries: number;
}

/** What came of it. */
export interface Outcome {
  setup: string;
  falseDowns: number;
  falseDownsPerThousandAndDay: number;
  outages: number;
  missed: number;
  detectionMeanS: number;
  detectionP99S: number;
  probesPerTargetAndMinute: number;
}

const POLICY = DEFAULT_HEALTH_POLICY;
/** A probe that passes is over at once; one that fails waits for its time-out, the slow way to fail. */
const PASS_MS = 20;
const VOTERS = 2;
/** Isolation is known after a look every 5 s or at a suspicion, two rounds of canaries of 1 s each, 1 s apart. */
const LOOK_PERIOD_MS = 5_000;
const LOOK_MS = 3_000;
const REJOIN_MS = 1_000;
const DAY_MS = 86_400_000;

interface World {
  faults: FaultModel;
  setup: Setup;
  seats: readonly ObserverSeat[];
  offline: ReadonlyMap<string, Windows>;
}

/** Runs the real state machine, cadence, ownership and votes in virtual time. The same seed gives the same outcome. */
export function simulate(setup: Setup, faults: FaultModel, seed: number): Outcome {
  const seats = Array.from({ length: setup.observers }, (_, index) => ({ id: `obs-${index}`, site: `site-${index}` }));
  const offline = new Map(
    seats.map((seat, index) => [
      seat.id,
      new Windows(faults.observerOffline, faults.days, seededRandom(seed + index + 1)),
    ]),
  );
  const world: World = { faults, setup, seats, offline };
  const totals = { falseDowns: 0, outages: 0, missed: 0, probes: 0 };
  const detections: number[] = [];
  for (let index = 0; index < faults.targets; index += 1) {
    const target = new SimulatedTarget(world, `node/edge-${index}`, seededRandom(seed * 1_000_003 + index * 97 + 11));
    target.run();
    totals.falseDowns += target.falseDowns;
    totals.probes += target.probes;
    totals.outages += target.outages;
    totals.missed += target.outages - target.detectionsMs.length;
    detections.push(...target.detectionsMs);
  }
  detections.sort((one, other) => one - other);
  const mean = detections.reduce((sum, ms) => sum + ms, 0) / Math.max(1, detections.length);
  return {
    setup: setup.name,
    falseDowns: totals.falseDowns,
    falseDownsPerThousandAndDay: (totals.falseDowns / faults.targets / faults.days) * 1_000,
    outages: totals.outages,
    missed: totals.missed,
    detectionMeanS: mean / 1_000,
    detectionP99S: (detections[Math.floor(detections.length * 0.99)] ?? 0) / 1_000,
    probesPerTargetAndMinute: totals.probes / faults.targets / (faults.days * 1_440),
  };
}

class SimulatedTarget {
  probes = 0;
  falseDowns = 0;
  readonly detectionsMs: number[] = [];
  readonly #world: World;
  readonly #random: Random;
  readonly #owner: ObserverSeat;
  readonly #outage: Windows;
  readonly #brownOut: ReadonlyMap<string, Windows>;
  readonly #detected = new Set<number>();
  #health: HealthState;
  #votes: { atMs: number; input: HealthInput } | undefined;
  #isolation: { fromMs: number; untilMs: number; told: boolean } | undefined;

  constructor(world: World, subject: string, random: Random) {
    const { faults, seats } = world;
    this.#world = world;
    this.#random = random;
    this.#health = initialHealth(subject);
    const owner = seats.find((seat) => seat.id === ownerOf(subject, undefined, seats));
    if (owner === undefined) throw new Error('a simulation needs an observer');
    this.#owner = owner;
    this.#outage = new Windows(faults.outage, faults.days, random);
    this.#brownOut = new Map(seats.map((seat) => [seat.id, new Windows(faults.brownOut, faults.days, random)]));
  }

  get outages(): number {
    return this.#outage.all.length;
  }

  run(): void {
    const endMs = this.#world.faults.days * DAY_MS;
    let nowMs = firstProbeDelayMs(this.#health.subject, POLICY);
    while (nowMs < endMs) {
      this.#advance(nowMs);
      const passes = this.#probe(this.#owner.id, nowMs);
      const doneMs = nowMs + (passes ? PASS_MS : POLICY.timeoutMs);
      // A pass of a target that rests in `up` changes nothing: no need to ask the machine seventy million times.
      if (!passes || this.#health.phase !== 'up' || this.#health.divergence !== undefined) {
        this.#advance(doneMs);
        this.#feed({
          kind: 'result',
          observer: this.#owner.id,
          startedAt: instant(nowMs),
          at: instant(doneMs),
          voters: this.#world.seats.length,
          result: result(passes),
        });
      }
      nowMs = doneMs + nextProbeDelayMs(this.#health, POLICY, doneMs, doneMs, this.#random);
    }
  }

  /** What happens on its own until `nowMs`: votes come in, the observer notices that it is cut off, or back. */
  #advance(nowMs: number): void {
    this.#watchIsolation(nowMs);
    if (this.#votes === undefined || this.#votes.atMs > nowMs) return;
    const { input } = this.#votes;
    this.#votes = undefined;
    if (this.#isolation?.told !== true) this.#feed(input);
  }

  #watchIsolation(nowMs: number): void {
    const { setup, seats, offline } = this.#world;
    const current = this.#isolation;
    if (current !== undefined) {
      if (!current.told && nowMs >= current.fromMs) {
        current.told = true;
        this.#feed({ kind: 'isolated' });
      }
      if (nowMs >= current.untilMs) {
        if (current.told) this.#feed({ kind: 'rejoined' });
        this.#isolation = undefined;
      }
      return;
    }
    const cut = offline.get(this.#owner.id)?.at(nowMs);
    if (cut === undefined) return;
    const others = seats.length > 1;
    // A lone observer has NATS beside it; with others it is somewhere else, and cut off with everything.
    const canaries = [!others, ...(others ? [false] : []), ...Array.from({ length: setup.canaries }, () => false)];
    if (!isIsolated({ canaries, targetsUp: 0, suspects: 0, refused: 0 })) return;
    const lookMs = cut.startMs + this.#random() * LOOK_PERIOD_MS;
    this.#isolation = { fromMs: Math.min(lookMs, nowMs) + LOOK_MS, untilMs: cut.endMs + REJOIN_MS, told: false };
  }

  #feed(input: HealthInput): void {
    const { state, effects } = decide(this.#health, input, POLICY);
    this.#health = state;
    for (const effect of effects) {
      if (effect.kind === 'ask-votes' && input.kind === 'result')
        this.#ask(effect.round, effect.deadlineMs, input.at.monoMs);
      if (effect.kind === 'announce' && effect.transition.to === 'down') this.#announced(effect.transition);
    }
  }

  #ask(round: number, deadlineMs: number, nowMs: number): void {
    const { seats, offline } = this.#world;
    const cut = offline.get(this.#owner.id)?.at(nowMs) !== undefined;
    let lastMs = nowMs;
    const votes = votersFor(this.#health.subject, this.#owner, seats, VOTERS).map((seat): VoteCast => {
      const silent = cut || offline.get(seat.id)?.at(nowMs) !== undefined;
      const { vote, doneMs } = silent
        ? { vote: 'abstain' as const, doneMs: nowMs + deadlineMs }
        : this.#vote(seat.id, nowMs);
      lastMs = Math.max(lastMs, doneMs);
      return { vote, evidence: { observer: seat.id, atMs: nowMs, outcome: vote, detail: '', durationMs: 0 } };
    });
    this.#votes = { atMs: lastMs, input: { kind: 'votes', at: instant(lastMs), round, votes } };
  }

  #vote(observer: string, nowMs: number): { vote: VoteCast['vote']; doneMs: number } {
    const first = this.#probe(observer, nowMs);
    if (first) return { vote: voteOf([result(true)]), doneMs: nowMs + PASS_MS };
    const againMs = nowMs + POLICY.timeoutMs + VOTE_PROBE_PAUSE_MS;
    const second = this.#probe(observer, againMs);
    const doneMs = againMs + (second ? PASS_MS : POLICY.timeoutMs);
    return { vote: voteOf([result(false), result(second)]), doneMs };
  }

  #probe(observer: string, atMs: number): boolean {
    this.probes += 1;
    const { faults, offline } = this.#world;
    return !(
      this.#random() < faults.probeLoss ||
      this.#outage.at(atMs) !== undefined ||
      this.#brownOut.get(observer)?.at(atMs) !== undefined ||
      offline.get(observer)?.at(atMs) !== undefined
    );
  }

  #announced(transition: Transition): void {
    // True if the target was really down at any of the probes that led to it.
    const outage = this.#outage.at(transition.timeMs) ?? this.#outage.at(transition.confirmedAtMs);
    if (outage === undefined) this.falseDowns += 1;
    else if (!this.#detected.has(outage.startMs)) {
      this.#detected.add(outage.startMs);
      this.detectionsMs.push(transition.confirmedAtMs - outage.startMs);
    }
  }
}

function instant(ms: number): Instant {
  return { wallMs: ms, monoMs: ms };
}

const PASS: ProbeResult = {
  kind: 'result',
  outcome: 'pass',
  origin: 'remote',
  detail: '',
  durationMs: PASS_MS,
  phasesMs: {},
};
const FAIL: ProbeResult = {
  kind: 'result',
  outcome: 'fail',
  origin: 'remote',
  phase: 'deadline',
  detail: '',
  durationMs: POLICY.timeoutMs,
  phasesMs: {},
};

function result(passes: boolean): ProbeResult {
  return passes ? PASS : FAIL;
}
