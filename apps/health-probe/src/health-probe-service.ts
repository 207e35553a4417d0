import type { OnApplicationBootstrap } from '@nestjs/common';
import {
  JETSTREAM,
  OBSERVER_EVENTS,
  PROBE_RPC,
  watchedTargetSchema,
  type Check,
  type Heartbeat,
  type WatchedTarget,
} from '@tocsin/contracts';
import type { ObserverSeat } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';
import type { ServiceContext } from '@tocsin/platform';
import { EventLoopGuard, lookAtCertificate, NameResolver, peerOf, runCheck } from '@tocsin/probes';
import { z } from 'zod';
import type { HealthProbeConfig } from './config.js';
import { FactRoom } from './facts/fact-room.js';
import { HeartbeatRoom } from './heartbeats/heartbeat-room.js';
import { saysNothing } from './heartbeats/heartbeat-watch.js';
import { OverlayRoom } from './overlays/overlay-room.js';
import { observeFleet } from './report/fleet-gauges.js';
import { BrokerLog } from './report/health-log.js';
import { Journal } from './report/journal.js';
import { NoiseJournal } from './report/noise-journal.js';
import type { ProbeStatistics } from './report/probe-statistics.js';
import { Reporter } from './report/reporter.js';
import { serveIcmp } from './schedule/icmp-ability.js';
import { InFlight } from './schedule/in-flight.js';
import { ProbeScheduler } from './schedule/probe-scheduler.js';
import { Observation } from './targets/observation.js';
import { DeclaredWatch } from './targets/declared-watch.js';
import { Watchdog } from './targets/watchdog.js';
import { WatchedTargets } from './targets/watched-targets.js';
import { Ballot } from './votes/ballot.js';
import { Canaries } from './votes/canaries.js';
import { Doubts } from './votes/doubts.js';
import { IsolationWatch } from './votes/isolation-watch.js';
import { Membership } from './votes/membership.js';
import { PeerElectorate } from './votes/peer-electorate.js';

/** How often the announced state of every target is read again, whether or not anything seems amiss. */
const REREAD_MS = 60_000;

export interface HealthProbeServiceOptions {
  config: HealthProbeConfig;
  context: ServiceContext;
  broker: Broker;
  statistics: ProbeStatistics;
}

/** An observer: watches its share of what is declared, decides about it, and brings what it has confirmed into the log. */
export class HealthProbeService implements OnApplicationBootstrap {
  readonly #options: HealthProbeServiceOptions;
  readonly #self: ObserverSeat;
  readonly #guard: EventLoopGuard;
  readonly #resolver: NameResolver;
  readonly #scheduler: ProbeScheduler;
  readonly #observation: Observation;
  readonly #reporter: Reporter;
  readonly #journal: Journal;
  readonly #noise: NoiseJournal;
  readonly #targets: WatchedTargets;
  readonly #watch: DeclaredWatch<WatchedTarget>;
  readonly #overlays: OverlayRoom;
  readonly #facts: FactRoom;
  readonly #heartbeats: HeartbeatRoom;
  readonly #membership: Membership;
  readonly #canaries: Canaries;
  readonly #isolation: IsolationWatch;
  readonly #ballot: Ballot;
  readonly #watchdog: Watchdog;
  #isolatedSinceMs = 0;
  #reread: NodeJS.Timeout | undefined;
  #serving: Serving[] = [];
  #ready: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: HealthProbeServiceOptions) {
    this.#options = options;
    const { config, broker, statistics } = options;
    const { clock, random } = options.context;
    const observer = config.TOCSIN_OBSERVER_ID;
    const logger = options.context.logger.child({ module: 'health-probe', observer });
    const log = new BrokerLog(broker);
    const doubts = new Doubts(clock);
    this.#self = { id: observer, site: config.TOCSIN_SITE };
    this.#guard = new EventLoopGuard(clock);
    this.#resolver = new NameResolver({ clock });
    const userAgent = `tocsin-probe (${observer})`;
    const ping = config.TOCSIN_ICMP;
    const probes = { clock, guard: this.#guard, resolver: this.#resolver, userAgent, ...(ping && { ping }) };
    const check = (wanted: Check) => runCheck(wanted, probes);

    this.#membership = new Membership({
      ...{ self: this.#self, broker, clock, logger },
      onChange: () => this.#targets.reassign(),
    });
    this.#canaries = new Canaries({
      ...{ observer, broker, check },
      addresses: config.TOCSIN_CANARIES,
      others: () => this.#membership.others,
    });
    this.#isolation = new IsolationWatch({
      ...{ clock, doubts },
      canaries: () => this.#canaries.look(),
      targetsUp: () => this.#targets.up,
      onIsolated: (reason) => this.#isolated(reason),
      onRejoined: () => this.#rejoined(),
    });
    this.#ballot = new Ballot({ ...{ observer, broker, clock, check }, isolated: () => this.#isolation.isolated });
    this.#journal = new Journal(log, clock, logger);
    this.#noise = new NoiseJournal({ observer, broker, clock, logger, statistics });
    const inFlight = new InFlight({
      total: config.TOCSIN_PROBE_IN_FLIGHT,
      perPeer: config.TOCSIN_PROBE_IN_FLIGHT_PER_PEER,
    });
    this.#overlays = new OverlayRoom({
      ...{ broker, clock, logger, log, observer, config },
      journal: this.#journal,
      seats: () => this.#membership.seats,
      declared: (name) => this.#targets.declared(name),
      members: (group) => this.#targets.members(group),
      own: () => this.#targets.all(),
      check: (wanted) => inFlight.run(peerOf(wanted), () => check(wanted)),
      probeIn: (target, delayMs) => this.#scheduler.probeIn(target.name, delayMs),
      reconsider: (subject) => this.#reporter.reconsider(subject),
      reconsiderAll: () => this.#reporter.reconsiderAll(),
    });
    this.#reporter = new Reporter({
      ...{ clock, random, logger, statistics, log },
      overlays: this.#overlays.overlays,
      overlaysKnown: this.#overlays.known,
      onSettled: (target, recorded) => {
        this.#observation.recorded(target, recorded);
        this.#facts.settled(target, recorded);
      },
    });
    this.#facts = new FactRoom({
      ...{ log, clock, random, logger },
      look: (target, place) => inFlight.run(target.peer, () => lookAtCertificate(place, probes)),
      overlays: this.#overlays.overlays,
      overlaysKnown: this.#overlays.known,
    });
    this.#heartbeats = new HeartbeatRoom({
      ...{ observer, broker, clock },
      synced: () => this.#watch.synced,
      own: (name) => this.#targets.own(name),
      ownerOf: (name) => this.#targets.ownerOf(name),
      probe: (target) => check(target.spec.check),
      onBeat: (status, late) => statistics.beat(status, late),
      onProbed: (target, probed) => this.#observation.probed(target, probed),
      onLoss: (target, seen) => this.#facts.heartbeat(target, seen),
      lookIn: (target, delayMs) => this.#scheduler.probeIn(target.name, delayMs),
      replan: (target) => this.#scheduler.replan(target.name),
    });
    this.#scheduler = new ProbeScheduler({
      ...{ clock, random },
      inFlight,
      check: (target) => (target.heartbeat === undefined ? check(target.spec.check) : this.#heartbeats.look(target)),
      onProbed: (target, probed) => {
        if (!saysNothing(probed.result)) this.#observation.probed(target, probed);
      },
    });
    this.#observation = new Observation({
      ...{ observer, clock, statistics, doubts },
      journal: this.#journal,
      isolation: this.#isolation,
      electorate: new PeerElectorate({ ...{ broker, clock }, self: this.#self, seats: () => this.#membership.seats }),
      current: (target) => this.#targets.isCurrent(target),
      onResult: (target, result) => this.#facts.probed(target, result),
      onUnheard: (target) => this.#facts.unheard(target),
      onSuspected: (target) => this.#overlays.suspected(target),
      onJudged: (target) => this.#overlays.judged(target),
      report: (target, transition) => {
        this.#overlays.confirmed(target, transition);
        this.#reporter.report(target, transition);
      },
      replan: (target) => this.#scheduler.replan(target.name),
    });
    this.#targets = new WatchedTargets({
      ...{ self: this.#self.id, clock },
      seats: () => (this.#membership.synced ? this.#membership.seats : undefined),
      onTaken: (target) => {
        if (this.#isolation.isolated) this.#observation.isolated([target]);
        this.#reporter.track(target);
        this.#overlays.taken(target);
        this.#facts.taken(target);
        this.#heartbeats.taken(target);
        this.#scheduler.add(target);
        statistics.watching(this.#targets.size);
      },
      onGiven: (target) => {
        this.#scheduler.remove(target.name);
        this.#heartbeats.given(target);
        this.#facts.given(target);
        this.#reporter.untrack(target);
        this.#overlays.given(target);
        statistics.watching(this.#targets.size);
      },
    });
    this.#watchdog = new Watchdog({
      ...{ clock, logger, stalledMs: () => this.#guard.stalledMs() },
      targets: () => this.#targets.all(),
      onSilent: (target) => this.#observation.silent(target),
    });
    this.#watch = new DeclaredWatch({
      ...{ broker, logger, bucket: JETSTREAM.targetsBucket, schema: watchedTargetSchema },
      onDeclared: (watched) => {
        this.#heartbeats.declare(watched);
        this.#targets.declare(watched);
      },
      onGone: (name) => {
        this.#heartbeats.withdraw(name);
        this.#targets.withdraw(name);
      },
      onSynced: () => this.#heartbeats.start(),
    });
  }

  onApplicationBootstrap(): void {
    observeFleet({
      targets: () => this.#targets.all(),
      holding: () => this.#reporter.holding,
      isolated: () => this.#isolation.isolated,
    });
    const { broker, statistics, context } = this.#options;
    this.#ready = context.readiness.register('health-probe', () => this.#readiness());
    this.#guard.start();
    this.#membership.start();
    this.#overlays.start();
    this.#watch.start();
    this.#ballot.start();
    this.#canaries.start();
    this.#isolation.start();
    this.#watchdog.start();
    this.#noise.start();
    const handle = () => Promise.resolve(statistics.counts());
    this.#serving = [broker.serve(`${PROBE_RPC.statsPrefix}.${this.#self.id}`, { schema: z.object({}), handle })];
    const ping = this.#options.config.TOCSIN_ICMP;
    if (ping !== undefined) this.#serving.push(serveIcmp(broker, ping));
    this.#reread = setInterval(() => this.#reporter.reread(), REREAD_MS);
  }

  /**
   * Takes a heartbeat, of whichever target.
   * @throws TocsinError as `HeartbeatIntake.accept`
   */
  heartbeat(token: string, beat: Heartbeat): Promise<void> {
    return this.#heartbeats.accept(token, beat);
  }

  /** Idempotent. Probes in flight are finished, appends in flight are awaited. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    clearInterval(this.#reread);
    this.#watchdog.stop();
    this.#ready?.();
    await this.#isolation.stop();
    await Promise.all([
      this.#watch.stop(),
      ...this.#serving.map((serving) => serving.close()),
      this.#ballot.stop(),
      this.#canaries.stop(),
    ]);
    await this.#heartbeats.stop();
    await this.#scheduler.stop();
    await Promise.all([this.#reporter.stop(), this.#overlays.stop(), this.#facts.stop()]);
    await Promise.all([this.#journal.stop(), this.#noise.stop()]);
    await this.#membership.stop();
    this.#resolver.close();
    this.#guard.stop();
  }

  #readiness(): string | true {
    if (!this.#watch.synced) return 'the declared targets are not known yet';
    if (!this.#membership.synced) return 'the other observers are not known yet';
    const { unknown } = this.#reporter;
    return unknown === 0 || `the announced state of ${unknown} targets is not known yet`;
  }

  /** Its targets are unknown to it from now on; observers that are able take them over. */
  #isolated(reason: string): void {
    const { id, site } = this.#self;
    this.#isolatedSinceMs = this.#options.context.clock.now();
    this.#observation.isolated(this.#targets.all());
    this.#journal.say(OBSERVER_EVENTS.isolated, `observer/${id}`, { observer: id, labels: { site }, reason });
    this.#membership.setIsolated(true);
  }

  #rejoined(): void {
    const { id, site } = this.#self;
    const isolatedMs = Math.max(0, this.#options.context.clock.now() - this.#isolatedSinceMs);
    this.#journal.say(OBSERVER_EVENTS.rejoined, `observer/${id}`, { observer: id, labels: { site }, isolatedMs });
    this.#observation.rejoined(this.#targets.all());
    this.#membership.setIsolated(false);
  }
}
