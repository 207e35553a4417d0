import type { OnApplicationBootstrap } from '@nestjs/common';
import { PROBE_RPC, type WatchedTarget } from '@tocsin/contracts';
import type { Broker, Serving } from '@tocsin/jetstream';
import type { ServiceContext } from '@tocsin/platform';
import { EventLoopGuard, NameResolver, runCheck } from '@tocsin/probes';
import { z } from 'zod';
import type { HealthProbeConfig } from './config.js';
import { BrokerLog } from './report/health-log.js';
import type { ProbeStatistics } from './report/probe-statistics.js';
import { Reporter } from './report/reporter.js';
import { InFlight } from './schedule/in-flight.js';
import { ProbeScheduler } from './schedule/probe-scheduler.js';
import { Observation } from './targets/observation.js';
import { TargetWatch } from './targets/target-watch.js';
import { Target } from './targets/target.js';
import { LoneElectorate } from './votes/electorate.js';

/** How often the announced state of every target is read again, whether or not anything seems amiss. */
const REREAD_MS = 60_000;

export interface HealthProbeServiceOptions {
  config: HealthProbeConfig;
  context: ServiceContext;
  broker: Broker;
  statistics: ProbeStatistics;
}

/** An observer: watches what is declared, decides about it, and brings what it has confirmed into the log. */
export class HealthProbeService implements OnApplicationBootstrap {
  readonly #options: HealthProbeServiceOptions;
  readonly #targets = new Map<string, Target>();
  readonly #guard: EventLoopGuard;
  readonly #resolver: NameResolver;
  readonly #scheduler: ProbeScheduler;
  readonly #observation: Observation;
  readonly #reporter: Reporter;
  readonly #watch: TargetWatch;
  #reread: NodeJS.Timeout | undefined;
  #serving: Serving | undefined;
  #ready: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: HealthProbeServiceOptions) {
    this.#options = options;
    const { config, broker, statistics } = options;
    const { clock, random } = options.context;
    const logger = options.context.logger.child({ module: 'health-probe', observer: config.TOCSIN_OBSERVER_ID });
    this.#guard = new EventLoopGuard(clock);
    this.#resolver = new NameResolver({ clock });
    const checks = { clock, guard: this.#guard, resolver: this.#resolver };
    this.#reporter = new Reporter({
      ...{ clock, random, logger, statistics },
      log: new BrokerLog(broker),
      onSettled: (target, recorded) => this.#observation.recorded(target, recorded),
    });
    this.#scheduler = new ProbeScheduler({
      ...{ clock, random },
      inFlight: new InFlight({
        total: config.TOCSIN_PROBE_IN_FLIGHT,
        perPeer: config.TOCSIN_PROBE_IN_FLIGHT_PER_PEER,
      }),
      check: (target) => runCheck(target.spec.check, checks),
      onProbed: (target, probed) => this.#observation.probed(target, probed),
    });
    this.#observation = new Observation({
      ...{ clock, logger, statistics },
      observer: config.TOCSIN_OBSERVER_ID,
      electorate: new LoneElectorate(),
      current: (target) => this.#targets.get(target.name) === target,
      report: (target, transition) => this.#reporter.report(target, transition),
      replan: (target) => this.#scheduler.replan(target.name),
    });
    this.#watch = new TargetWatch(broker, logger, {
      onTarget: (watched) => this.#take(watched),
      onGone: (name) => this.#drop(name),
    });
  }

  onApplicationBootstrap(): void {
    const { broker, statistics, context } = this.#options;
    this.#ready = context.readiness.register('health-probe', () => {
      if (!this.#watch.synced) return 'the declared targets are not known yet';
      const { unknown } = this.#reporter;
      return unknown === 0 || `the announced state of ${unknown} targets is not known yet`;
    });
    this.#guard.start();
    this.#watch.start();
    this.#serving = broker.serve(PROBE_RPC.stats, {
      schema: z.object({}),
      handle: () => Promise.resolve(statistics.counts()),
    });
    this.#reread = setInterval(() => this.#reporter.reread(), REREAD_MS);
  }

  /** Idempotent. Probes in flight are finished, appends in flight are awaited. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    clearInterval(this.#reread);
    this.#ready?.();
    await Promise.all([this.#watch.stop(), this.#serving?.close()]);
    await this.#scheduler.stop();
    await this.#reporter.stop();
    this.#resolver.close();
    this.#guard.stop();
  }

  #take(watched: WatchedTarget): void {
    const known = this.#targets.get(watched.name);
    const target = new Target(watched, known?.health);
    if (known !== undefined && known.subject !== target.subject) this.#reporter.untrack(known);
    this.#targets.set(target.name, target);
    this.#reporter.track(target);
    this.#scheduler.add(target);
    this.#options.statistics.watching(this.#targets.size);
  }

  #drop(name: string): void {
    const target = this.#targets.get(name);
    if (target === undefined) return;
    this.#targets.delete(name);
    this.#scheduler.remove(name);
    this.#reporter.untrack(target);
    this.#options.statistics.watching(this.#targets.size);
  }
}
