import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore } from '@tocsin/contracts';
import type { Clock, EventToAppend } from '@tocsin/domain';
import { Database } from '@tocsin/postgres';
import { testDatabase, type TestDatabase } from '@tocsin/testing';
import { Appender, type AppenderOptions } from './appender.js';
import { LOG_DATABASE } from './log-database.js';
import { PostgresLog } from './postgres-log.js';
import type { Finding } from './verify.js';

export const clock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

/** A log in a fresh database, with an appender that leads it. */
export interface TestLog {
  /** As the superuser who owns the tables. */
  admin: TestDatabase;
  database: Database;
  log: PostgresLog;
  appender: Appender;
  store: EventStore;
  /** Another appender on the same log; it leads once it has been told to. */
  rival(options?: Partial<AppenderOptions>): Appender;
  close(): Promise<void>;
}

export async function openLog(options: Partial<AppenderOptions> = {}): Promise<TestLog> {
  const admin = await testDatabase();
  const database = await Database.open({ ...LOG_DATABASE, url: admin.url, applicationName: 'event-store specs' });
  const log = new PostgresLog({ database });
  const rival = (over: Partial<AppenderOptions> = {}): Appender => new Appender({ database, clock, ...over });
  const appender = rival(options);
  await appender.becomeLeader();
  const store: EventStore = {
    append: (request) => appender.append(request),
    read: (query) => log.read(query),
    get: (key) => log.get(key),
    latest: (request) => log.latest(request),
    head: () => log.head(),
  };
  const close = async (): Promise<void> => {
    await appender.stepDown();
    await database.close();
  };
  return { admin, database, log, appender, store, rival, close };
}

let made = 0;

/** A fresh event with a key of its own. */
export function newEvent(over: Partial<EventToAppend> = {}): EventToAppend {
  made += 1;
  const own = {
    id: `evt_${made}`,
    source: 'tocsin/test',
    type: 'io.tocsin.node.offline',
    subject: `node/${made % 10}`,
  };
  return { ...own, time: '2026-01-01T00:00:00.000Z', data: { made }, ...over };
}

/** Everything `verify` finds. */
export async function findings(log: PostgresLog): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const step of log.verify()) found.push(...step.findings);
  return found;
}

/** The code of the error a promise rejects with; `done` if it resolves. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'done';
  } catch (error) {
    return (error as { code?: unknown }).code ?? error;
  }
}

/** Does the promise stay open for a while? */
export async function staysOpen(promise: Promise<unknown>, ms = 200): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  return Promise.race([settled, delay(ms, true)]);
}
