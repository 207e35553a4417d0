import {
  GROUP_OUTAGES_BUCKET,
  groupOutageSchema,
  MAINTENANCE_BUCKET,
  watchedMaintenanceSchema,
  type Check,
  type GroupOutage,
  type WatchedMaintenance,
  type WatchedTarget,
} from '@tocsin/contracts';
import type { Clock, ObserverSeat, ProbeResult, Transition, VoidedProbe } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { HealthProbeConfig } from '../config.js';
import { FlappingJournal } from '../report/flapping-journal.js';
import { MaintenanceJournal } from '../report/maintenance-journal.js';
import type { HealthLog } from '../report/health-log.js';
import type { Journal } from '../report/journal.js';
import { DeclaredWatch } from '../targets/declared-watch.js';
import type { Target } from '../targets/target.js';
import { FlapDamper } from './flap-damper.js';
import { GroupStorms, keeperOf } from './group-storms.js';
import { MaintenanceCalendar } from './maintenance-calendar.js';
import { Overlays } from './overlays.js';
import { ParentWatch } from './parent-watch.js';
import { StormKeeper } from './storm-keeper.js';
import { StormQuestions } from './storm-questions.js';
import { SuspectCount } from './suspect-count.js';

export interface OverlayRoomDeps {
  observer: string;
  config: Pick<HealthProbeConfig, 'TOCSIN_FLAPPING_HALF_LIFE'>;
  broker: Broker;
  clock: Clock;
  logger: Logger;
  log: HealthLog;
  journal: Journal;
  seats: () => readonly ObserverSeat[];
  declared: (name: string) => WatchedTarget | undefined;
  members: (group: string) => readonly WatchedTarget[];
  own: () => Iterable<Target>;
  check: (check: Check) => Promise<ProbeResult | VoidedProbe>;
  probeIn: (target: Target, delayMs: number) => void;
  /** What lies over a target (over all) has changed. */
  reconsider: (subject: string) => void;
  reconsiderAll: () => void;
}

/** Everything that can lie over targets, put together: maintenance, flapping, dead parents, storms. */
export class OverlayRoom {
  readonly overlays: Overlays;
  /** Resolves when windows and group outages that are declared have been read. */
  readonly known: Promise<void>;
  readonly #calendar: MaintenanceCalendar;
  readonly #maintenance: MaintenanceJournal;
  readonly #flaps: FlapDamper;
  readonly #parents: ParentWatch;
  readonly #questions: StormQuestions;
  readonly #storms: GroupStorms;
  readonly #suspects: SuspectCount;
  readonly #keeper: StormKeeper;
  readonly #windows: DeclaredWatch<WatchedMaintenance>;
  readonly #outages: DeclaredWatch<GroupOutage>;

  constructor(deps: OverlayRoomDeps) {
    const { broker, clock, logger, log, journal, observer, members, reconsider, reconsiderAll } = deps;
    this.#calendar = new MaintenanceCalendar({ clock, onChange: () => this.#windowsTurned(reconsiderAll) });
    const flapping = new FlappingJournal({ log, journal, logger });
    this.#flaps = new FlapDamper({
      clock,
      halfLifeMs: deps.config.TOCSIN_FLAPPING_HALF_LIFE,
      onStarted: (target, state) => flapping.started(target, state),
      onStopped: (target, state) => flapping.stopped(target, state),
      onTick: ({ subject }) => reconsider(subject),
    });
    this.#parents = new ParentWatch({
      ...{ declared: deps.declared, check: deps.check, probeIn: deps.probeIn },
      onLifted: ({ subject }) => reconsider(subject),
    });
    const keeper = (group: string) => keeperOf(group, deps.seats());
    this.#questions = new StormQuestions({ broker, clock, logger, keeperOf: keeper });
    const storms = new GroupStorms({
      questions: this.#questions,
      size: (group) => members(group).length,
      probeIn: deps.probeIn,
      onReleased: reconsider,
    });
    this.#storms = storms;
    this.#suspects = new SuspectCount({
      clock,
      ...{ observer, broker, logger, seats: deps.seats, own: deps.own },
      probeIn: deps.probeIn,
    });
    this.#keeper = new StormKeeper({
      ...{ observer, broker, clock, logger, log, members, suspects: this.#suspects },
      outages: () => storms.outages,
      keeperOf: keeper,
    });
    this.overlays = new Overlays({ maintenance: this.#calendar, flaps: this.#flaps, parents: this.#parents, storms });

    const windows = Promise.withResolvers<void>();
    const outages = Promise.withResolvers<void>();
    this.known = Promise.all([windows.promise, outages.promise]).then(() => undefined);
    this.#maintenance = new MaintenanceJournal({
      ...{ log, clock, logger, known: windows.promise },
      windowOver: (labels) => this.#calendar.windowOver(labels),
    });
    this.#windows = new DeclaredWatch({
      ...{ broker, logger, bucket: MAINTENANCE_BUCKET, schema: watchedMaintenanceSchema },
      onDeclared: (window) => this.#calendar.declare(window),
      onGone: (name) => this.#calendar.withdraw(name),
      onSynced: windows.resolve,
    });
    this.#outages = new DeclaredWatch({
      ...{ broker, logger, bucket: GROUP_OUTAGES_BUCKET, schema: groupOutageSchema },
      onDeclared: (outage) => storms.began(outage),
      onGone: (group) => storms.ended(group),
      onSynced: outages.resolve,
    });
  }

  start(): void {
    this.#windows.start();
    this.#outages.start();
    this.#flaps.start();
    this.#suspects.start();
    this.#keeper.start();
  }

  async stop(): Promise<void> {
    await this.#maintenance.stop();
    this.#flaps.stop();
    this.#parents.stop();
    this.#calendar.stop();
    await Promise.all([this.#questions.stop(), this.#suspects.stop(), this.#keeper.stop()]);
    await Promise.all([this.#windows.stop(), this.#outages.stop()]);
  }

  /** A target is watched from now on, or under a new declaration. */
  taken(target: Target): void {
    this.#maintenance.track(target);
  }

  /** It is not any more. */
  given(target: Target): void {
    this.#maintenance.untrack(target);
  }

  /** A target has become suspect: its parents are asked while it is probed again. */
  suspected(target: Target): void {
    void this.#parents.ask(target);
  }

  /** A probe of a target has ended and been judged. */
  judged(target: Target): void {
    this.#parents.probed(target);
    this.#storms.probed(target);
  }

  /** A change was confirmed and is about to be reported. */
  confirmed(target: Target, { to }: Transition): void {
    if (to === 'down') this.#flaps.down(target);
  }

  #windowsTurned(reconsiderAll: () => void): void {
    reconsiderAll();
    this.#maintenance.look();
  }
}
