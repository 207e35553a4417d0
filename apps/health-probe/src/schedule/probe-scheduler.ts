import {
  firstProbeDelayMs,
  nextProbeDelayMs,
  type Clock,
  type Instant,
  type ProbeResult,
  type Random,
  type VoidedProbe,
} from '@tocsin/domain';
import type { Target } from '../targets/target.js';
import { AlarmSlots, type Slot } from './alarm-slots.js';
import type { InFlight } from './in-flight.js';

/** A probe of a target that hangs takes its whole time-out, up to a minute: too long for a process that should end. */
const STOP_PATIENCE_MS = 1_000;

/** One probe of a target, as it went. */
export interface Probed {
  startedAt: Instant;
  at: Instant;
  result: ProbeResult | VoidedProbe;
  /** How much later than planned it started, milliseconds. */
  latenessMs: number;
}

export interface ProbeSchedulerDeps {
  clock: Clock;
  random: Random;
  inFlight: InFlight;
  check: (target: Target) => Promise<ProbeResult | VoidedProbe>;
  /** Told of each result before the next probe is planned: its decision sets the cadence. */
  onProbed: (target: Target, probed: Probed) => void;
}

/** When a target is probed next, or that it is being probed. */
class Plan {
  readonly target: Target;
  dueMs = 0;
  slot: Slot<this> | undefined;
  running: Promise<void> | undefined;

  constructor(target: Target) {
    this.target = target;
  }
}

/** Probes every target at its own cadence: each has one alarm or one probe in flight, never both. */
export class ProbeScheduler {
  readonly #deps: ProbeSchedulerDeps;
  readonly #plans = new Map<string, Plan>();
  readonly #alarms: AlarmSlots<Plan>;
  #stopped = false;

  constructor(deps: ProbeSchedulerDeps) {
    this.#deps = deps;
    this.#alarms = new AlarmSlots(deps.clock, (plan) => this.#run(plan));
  }

  get size(): number {
    return this.#plans.size;
  }

  /** Watches `target` from now on; in place of an earlier declaration of the same name. */
  add(target: Target): void {
    this.remove(target.name);
    if (this.#stopped) return;
    const plan = new Plan(target);
    this.#plans.set(target.name, plan);
    this.#alarms.set(plan, firstProbeDelayMs(target.subject, target.policy));
  }

  /** A probe in flight is no longer listened to. */
  remove(name: string): void {
    const plan = this.#plans.get(name);
    if (plan === undefined) return;
    this.#alarms.cancel(plan);
    this.#plans.delete(name);
  }

  /** Probes so much later instead of whenever it was planned; a probe in flight is followed by it. */
  probeIn(name: string, delayMs: number): void {
    const plan = this.#plans.get(name);
    if (plan === undefined) return;
    if (plan.running !== undefined) {
      void plan.running.then(() => this.probeIn(name, delayMs));
      return;
    }
    this.#alarms.set(plan, delayMs);
  }

  /** Plans the next probe anew, after the target's state has changed by something else than a probe. */
  replan(name: string): void {
    const plan = this.#plans.get(name);
    if (plan === undefined || plan.running !== undefined) return;
    this.#alarms.set(plan, this.#nextDelayMs(plan.target));
  }

  /** Waits a little for probes in flight; a result that comes later is not listened to, and the next process probes again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const running = [...this.#plans.values()].flatMap((plan) => plan.running ?? []);
    for (const name of [...this.#plans.keys()]) this.remove(name);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_PATIENCE_MS);
    });
    await Promise.race([Promise.all(running), late]);
    clearTimeout(timer);
  }

  #run(plan: Plan): void {
    plan.running = this.#probe(plan).finally(() => {
      plan.running = undefined;
      if (this.#current(plan)) this.#alarms.set(plan, this.#nextDelayMs(plan.target));
    });
  }

  async #probe(plan: Plan): Promise<void> {
    const { target, dueMs } = plan;
    const probed = await this.#deps.inFlight.run(target.peer, async (): Promise<Probed | undefined> => {
      if (!this.#current(plan)) return undefined;
      const startedAt = this.#now();
      const result = await this.#deps.check(target);
      return { startedAt, at: this.#now(), result, latenessMs: Math.max(0, startedAt.monoMs - dueMs) };
    });
    if (probed !== undefined && this.#current(plan)) this.#deps.onProbed(target, probed);
  }

  #current(plan: Plan): boolean {
    return this.#plans.get(plan.target.name) === plan;
  }

  #nextDelayMs(target: Target): number {
    const { monoMs, wallMs } = this.#now();
    return nextProbeDelayMs(target.health, target.policy, monoMs, wallMs, this.#deps.random);
  }

  #now(): Instant {
    return { wallMs: this.#deps.clock.now(), monoMs: this.#deps.clock.monotonicMs() };
  }
}
