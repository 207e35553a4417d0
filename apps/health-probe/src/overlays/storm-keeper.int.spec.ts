import { setTimeout as sleep } from 'node:timers/promises';
import { GROUP_OUTAGES_BUCKET, groupOutageSchema, targetSpecSchema, type WatchedTarget } from '@tocsin/contracts';
import { TocsinError, type ObserverSeat, type RecordedEvent } from '@tocsin/domain';
import { Broker } from '@tocsin/jetstream';
import { createLogger, systemClock } from '@tocsin/platform';
import { eventually, testNats } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryRecorder } from '../memory-recorder.harness.js';
import { BrokerLog, type HealthLog } from '../report/health-log.js';
import { DeclaredWatch } from '../targets/declared-watch.js';
import { Target } from '../targets/target.js';
import { GroupStorms, keeperOf } from './group-storms.js';
import { StormKeeper } from './storm-keeper.js';
import { StormQuestions } from './storm-questions.js';

const GROUP = 'site=fra';
const SUBJECT = `group/${GROUP}`;
const logger = createLogger({ name: 'spec', level: 'silent' });

/** What an observer knows of storms, with a connection of its own, and the keeper of the groups that fall to it. */
interface Observer {
  id: string;
  storms: GroupStorms;
  keeper: StormKeeper;
  /** Targets whose outage is told to nobody. */
  absorbed: () => string[];
  /** As a killed process ends: it answers nobody, and nothing that it has begun goes on. */
  kill: () => Promise<void>;
}

let broker: Broker;
let recorder: MemoryRecorder;
let members: WatchedTarget[];
let targets: Target[];
let seats: ObserverSeat[];
let observers: Observer[];
/** Members that are suspect now. */
let suspects: number;
let looks: number;
/** What a keeper does to the log goes through this. */
let through: (log: HealthLog, id: string) => HealthLog;

beforeEach(async () => {
  const { url } = await testNats();
  broker = await Broker.connect({ servers: url, name: 'spec' });
  recorder = new MemoryRecorder();
  recorder.start(broker);
  await (await broker.kv(GROUP_OUTAGES_BUCKET)).delete(GROUP);
  observers = [];
  suspects = looks = 0;
  through = (log) => log;
});
afterEach(async () => {
  await Promise.all(observers.splice(0).map(({ kill }) => kill()));
  await recorder.stop();
  await broker.close();
});

async function observe(id: string): Promise<Observer> {
  const { url } = await testNats();
  const own = await Broker.connect({ servers: url, name: id });
  const keeperNow = (group: string) => keeperOf(group, seats);
  const questions = new StormQuestions({ broker: own, clock: systemClock, logger, keeperOf: keeperNow });
  const storms = new GroupStorms({
    ...{ questions, size: () => members.length },
    probeIn: () => undefined,
    onReleased: () => undefined,
  });
  const keeper = new StormKeeper({
    ...{ observer: id, broker: own, clock: systemClock, logger, log: through(new BrokerLog(own), id) },
    members: () => members,
    suspects: {
      count: () => Promise.resolve(suspects),
      look: () => {
        looks += 1;
        return Promise.resolve();
      },
    },
    outages: () => storms.outages,
    keeperOf: keeperNow,
  });
  const watch = new DeclaredWatch({
    ...{ broker: own, logger, bucket: GROUP_OUTAGES_BUCKET, schema: groupOutageSchema },
    onDeclared: (outage) => storms.began(outage),
    onGone: (group) => storms.ended(group),
    onSynced: () => undefined,
  });
  watch.start();
  keeper.start();
  let killed: Promise<void> | undefined;
  const end = async () => {
    await own.close();
    await Promise.all([keeper.stop(), questions.stop(), watch.stop()]);
  };
  const absorbed = () => targets.map(({ subject }) => subject).filter((each) => storms.causeOf(each) !== undefined);
  const observer = { id, storms, keeper, absorbed, kill: () => (killed ??= end()) };
  observers.push(observer);
  return observer;
}

async function world(size: number, ids: readonly string[]): Promise<void> {
  const check = { type: 'tcp', host: '127.0.0.1', port: 1 };
  const spec = targetSpecSchema.parse({ kind: 'node', labels: { site: 'fra' }, check });
  members = Array.from({ length: size }, (_, index) => ({ name: `edge-${index}`, revision: 1, spec }));
  targets = members.map((member) => new Target(member, 0));
  seats = ids.map((id) => ({ id, site: 'fra' }));
  for (const id of ids) await observe(id);
}

const named = (id: string) => observers.find((observer) => observer.id === id) as Observer;
const keeper = () => named(keeperOf(GROUP, seats) ?? '');
/** The observer that watches a target, and goes on if another dies. */
const ownerOf = (index: number, of: readonly Observer[] = observers) => of[index % of.length] as Observer;
const groupEvents = () =>
  recorder.events.filter(({ subject }) => subject === SUBJECT).map(({ type }) => type.replace('io.tocsin.', ''));

/** A target goes down: asks, and records it as told or not, as the reporter does. */
async function goesDown(index: number, observer: Observer): Promise<void> {
  const target = targets[index] as Target;
  await observer.storms.ask(target, { episode: `ep_${index}` });
  const withheld = observer.storms.causeOf(target.subject) !== undefined;
  recorder.record({
    ...{ type: 'io.tocsin.node.offline', subject: target.subject, source: 'tocsin/health-probe' },
    extensions: withheld ? { withheld: 'storm' } : {},
    data: { to: 'down' },
  });
}

/** All go down, evenly over some time. */
async function allGoDown(overMs: number, of: readonly Observer[] = observers): Promise<number> {
  const startMs = performance.now();
  let firstMs = Number.POSITIVE_INFINITY;
  await Promise.all(
    targets.map(async (_target, index) => {
      await sleep((overMs * index) / targets.length);
      await goesDown(index, ownerOf(index, of));
      firstMs = Math.min(firstMs, performance.now() - startMs);
    }),
  );
  return firstMs;
}

function told(): RecordedEvent[] {
  return recorder.events.filter(
    ({ type, extensions }) => type.endsWith('.offline') && extensions['withheld'] === undefined,
  );
}

/** Each member once in the log, one of them told, and the group once. */
function expectOneOutage(toldAlone = 1): void {
  expect(groupEvents()).toEqual(['group.outage']);
  const stored = recorder.events.filter(({ type }) => type.endsWith('.offline')).map(({ subject }) => subject);
  expect(stored.toSorted()).toEqual(targets.map(({ subject }) => subject).toSorted());
  expect(told()).toHaveLength(toldAlone);
}

describe('the keeper of a group', () => {
  it('takes more than a thousand members that die within a second for one outage, and delays the first by nothing', async () => {
    await world(1_100, ['fra-1', 'fra-2', 'fra-3']);
    const firstMs = await allGoDown(1_000);
    expect(firstMs).toBeLessThan(1_000);
    expectOneOutage();
    expect(observers.reduce((sum, { absorbed }) => sum + absorbed().length, 0)).toBe(1_099);
    // One that named them all might be more than a receiver takes.
    const outage = recorder.events.find(({ subject }) => subject === SUBJECT);
    const first = targets.slice(0, 1_000).map(() => expect.any(String) as string);
    expect(outage?.data).toMatchObject({ size: 1_100, failing: 1_100, members: first });
  });

  it('waits for those that fail without being confirmed where it takes longer than the time to collect to confirm a thousand', async () => {
    await world(1_000, ['fra-1', 'fra-2', 'fra-3']);
    suspects = 600;
    await allGoDown(10_500);
    expectOneOutage();
    expect(looks).toBe(1);
  });

  it('loses and repeats nobody because it dies while it collects', async () => {
    await world(300, ['fra-1', 'fra-2', 'fra-3']);
    const dead = keeper();
    const alive = observers.filter((observer) => observer !== dead);
    const all = allGoDown(3_000, alive);
    await sleep(2_000);
    await dead.kill();
    await sleep(2_000);
    seats = seats.filter(({ id }) => id !== dead.id);
    await all;
    expectOneOutage();
  });

  it('leaves an outage that its successor finds in the log although nobody could be told of it', async () => {
    through = (log, id) => ({
      ...methodsOf(log),
      append: async (request) => {
        const appended = await log.append(request);
        if (id !== keeperOf(GROUP, [...seats, { id, site: 'fra' }])) return appended;
        // What it would have done with the answer it never does.
        void named(id).kill();
        throw new TocsinError('TCN_INTERNAL', 'killed');
      },
    });
    await world(30, ['fra-1', 'fra-2', 'fra-3']);
    const dead = keeper();
    const all = allGoDown(
      100,
      observers.filter((observer) => observer !== dead),
    );
    await eventually(() => groupEvents().length === 1, { what: 'the outage is recorded', timeoutMs: 15_000 });
    seats = seats.filter(({ id }) => id !== dead.id);
    await all;
    expectOneOutage();
    const entry = await (await broker.kv(GROUP_OUTAGES_BUCKET)).get(GROUP);
    const outage = recorder.events.find(({ subject }) => subject === SUBJECT);
    expect(entry?.value).toMatchObject({ event: outage?.id, episode: outage?.extensions['episode'] });
  });

  it('says one outage although the answer to its append is lost', async () => {
    await world(30, ['fra-1']);
    recorder.losesAnswers = 1;
    await allGoDown(100);
    expect(recorder.losesAnswers).toBe(0);
    expectOneOutage();
  });

  it('is not needed for the first member, nor for those who wait in vain', async () => {
    await world(9, ['fra-1', 'fra-2']);
    const dead = keeper();
    const alive = observers.filter((observer) => observer !== dead);
    await dead.kill();
    const startMs = performance.now();
    const all = Promise.all(targets.map((_target, index) => goesDown(index, ownerOf(index, alive))));
    await eventually(() => told().length === 1, { what: 'the first is told', timeoutMs: 2_000 });
    await all;
    expect(performance.now() - startMs).toBeGreaterThan(9_000);
    expect(told()).toHaveLength(9);
    expect(groupEvents()).toEqual([]);
  });
});

function methodsOf(log: HealthLog): HealthLog {
  return {
    append: (request) => log.append(request),
    latestStates: (subjects) => log.latestStates(subjects),
    latestFlapping: (subject) => log.latestFlapping(subject),
    latestOf: (subject, types) => log.latestOf(subject, types),
    latestMaintenance: (subjects) => log.latestMaintenance(subjects),
    latestLives: (subjects) => log.latestLives(subjects),
  };
}
