import { HEALTH_PROBE_SOURCE } from '@tocsin/contracts';
import type { JsonObject, RecordedEvent } from '@tocsin/domain';
import { Database, type Queryable } from '@tocsin/postgres';
import { eventually, Receiver } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningDelivery, Surroundings } from '../delivery.harness.js';
import { SHARDS } from '../ledger/schema.js';
import { type LogPage, LogSource } from '../match/log-source.js';
import type { PromiseVerdict } from './promise.js';
import { verifyPromises } from './verify-promises.js';

let around: Surroundings;
let delivery: RunningDelivery;
let owner: Database;
let log: LogSource;
let receiver: Receiver;
/** Positions of an outage, of its end, of one that was kept back, and of one that lasts. */
let at: { down: number; up: number; kept: number; lasting: number; last: number };

/** A change of a node as an observer reports it. */
function change(node: string, to: 'down' | 'up', extensions: Record<string, string> = {}, data: JsonObject = {}) {
  const now = new Date().toISOString();
  const word = { at: now, outcome: to === 'down' ? 'fail' : 'pass', durationMs: 1 };
  return {
    ...{ source: HEALTH_PROBE_SOURCE, subject: `node/${node}`, time: now, extensions },
    type: `io.tocsin.node.${to === 'down' ? 'offline' : 'online'}`,
    data: {
      ...{ target: node, kind: 'node', labels: {}, from: to === 'down' ? 'up' : 'down', to, reason: 'refused' },
      ...{ confidence: 'quorum', votes: { fail: 2, pass: 0, abstain: 0 }, confirmedAt: now, detectionMs: 1 },
      evidence: [
        { observer: 'obs-a', ...word },
        { observer: 'obs-b', ...word },
      ],
      ...data,
    },
  };
}

beforeAll(async () => {
  [around, receiver] = await Promise.all([Surroundings.start(), Receiver.start()]);
  delivery = await around.delivery();
  log = new LogSource(around.broker);
  const { url } = around.database;
  owner = await Database.open({ url, applicationName: 'owner', schema: 'delivery', migrations: [] });
  const types = ['io.tocsin.node.*'];
  await around.subscribe('ops', receiver.url, { types });
  // Its first attempt fails.
  receiver.respondOnce({ status: 503 });
  await around.subscribe('retries', receiver.url, { types: ['com.acme.*'], retry: { schedule: ['1s'] } });
  const [, down, up] = await around.append([
    { type: 'com.acme.deployed', subject: 'service/a' },
    change('a', 'down'),
    change('a', 'up'),
  ]);
  const rest = await around.append([
    change('b', 'down', { withheld: 'maintenance' }, { told: { state: 'up' } }),
    {
      type: 'io.tocsin.observer.isolated',
      subject: 'observer/obs-a',
      source: HEALTH_PROBE_SOURCE,
      data: { observer: 'obs-a' },
    },
    {
      type: 'io.tocsin.observer.rejoined',
      subject: 'observer/obs-a',
      source: HEALTH_PROBE_SOURCE,
      data: { observer: 'obs-a' },
    },
    change('c', 'down'),
    { type: 'com.acme.deployed', subject: 'service/b' },
  ]);
  const [kept, , , lasting, last] = rest.map(({ position }) => position);
  at = { down: down!.position, up: up!.position, kept: kept!, lasting: lasting!, last: last! };
  await around.settledUpTo(at.last);
  await eventually(async () => (await delivery.call('GET', '/v1/deliveries?state=delivered')).body.items.length === 5, {
    what: 'everything is delivered',
    timeoutMs: 20_000,
  });
}, 120_000);

afterAll(async () => {
  await owner?.close();
  await delivery?.close();
  await Promise.all([around?.stop(), receiver?.close()]);
});

/**
 * What is found after changing store or log as nobody should be able to: the store as its owner, with every trigger off and in a
 * transaction that is rolled back; the log on the way out of it.
 */
async function verdicts(
  tampering: { sql?: string; log?: (event: RecordedEvent) => RecordedEvent[] } = {},
): Promise<PromiseVerdict[]> {
  const undo = new Error('undo');
  let found: PromiseVerdict[] = [];
  const { log: alter = (event) => [event] } = tampering;
  const altered = {
    read: async (request: Parameters<LogSource['read']>[0]): Promise<LogPage> => {
      const page = await log.read(request);
      return { ...page, events: page.events.flatMap(alter) };
    },
  };
  const tampered = owner.transaction(async (tx) => {
    await tx.query('ALTER TABLE delivery.attempt DISABLE TRIGGER USER');
    if (tampering.sql !== undefined) await tx.query(tampering.sql);
    const query: Queryable['query'] = async (sql, params) =>
      sql.startsWith('SET TRANSACTION') ? [] : tx.query(sql, params);
    const database = { query, transaction: <T>(work: (inner: Queryable) => Promise<T>) => work({ query }) };
    for await (const line of verifyPromises({ database, log: altered, shards: SHARDS })) {
      if (line.done === true) found = line.promises;
    }
    throw undo;
  });
  await expect(tampered).rejects.toBe(undo);
  return found;
}

/** The one promise that is broken, and what was found of it. */
async function broken(tampering: Parameters<typeof verdicts>[0]): Promise<[number, string[]]> {
  const found = (await verdicts(tampering)).filter(({ ok }) => !ok);
  expect(found).toHaveLength(1);
  return [found[0]!.promise, found[0]!.findings];
}

const changed =
  (position: number, data: Record<string, unknown>) =>
  (event: RecordedEvent): RecordedEvent[] =>
    event.position === position
      ? [{ ...event, data: { ...(event.data as JsonObject), ...data } as JsonObject }]
      : [event];

describe('the check of the promises', () => {
  it('finds nothing where nobody touched anything, and says what it looked at', async () => {
    const found = await verdicts();
    expect(found.map(({ promise, ok, findings }) => [promise, ok, findings])).toEqual(
      [1, 2, 3, 4, 5].map((promise) => [promise, true, []]),
    );
    const checked = found.map((one) => one.checked);
    expect(checked[0]).toMatch(/^events: \d+, to be told: 5 = 5 delivered \+ 0 pending/);
    expect(checked[1]).toBe(
      'outages announced: 2, of which 1 ended and 1 last; ends that went where the beginning went: 1',
    );
    expect(checked[2]).toMatch(/^first attempts: 5, /);
    expect(checked[3]).toMatch(
      /^outages recorded: 3, confirmed by a quorum: 3, by one observer that says so: 0; observers cut off: 1$/,
    );
    expect(checked[4]).toMatch(/^attempts: 6, of deliveries: 5, .*; changes kept back: 1,/);
  });

  it('is answered over HTTP, line by line', async () => {
    const text = await delivery.text('/v1/promises');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({ done: true, ok: true, upTo: at.last });
    expect(lines[0]).toMatchObject({ upTo: at.last });
  });

  it('1: finds a delivery that is nowhere', async () => {
    const sql = `DELETE FROM delivery.attempt WHERE position = ${at.lasting}`;
    expect(await broken({ sql })).toEqual([1, [`delivery ${at.lasting}-ops: the ledger knows nothing of it`]]);
  });

  it('2: finds an end that is lost, and one that was told before its beginning', async () => {
    const lost = await verdicts({ sql: `DELETE FROM delivery.attempt WHERE position = ${at.up}` });
    expect(lost.filter(({ ok }) => !ok).map(({ promise }) => promise)).toEqual([1, 2]);
    expect(lost[1]?.findings).toEqual([
      `ops: node/a began with event ${at.down}, and its end, event ${at.up}, is nowhere`,
    ]);
    const sql = `UPDATE delivery.attempt SET started_at = started_at - interval '1 minute' WHERE position = ${at.up}`;
    expect(await broken({ sql })).toEqual([
      2,
      [`ops: node/a began with event ${at.down}, and its end, event ${at.up}, was delivered first`],
    ]);
  });

  it('2: finds what was announced twice, and what was announced from a state that nobody was told', async () => {
    expect(await broken({ log: changed(at.up, { from: 'up', to: 'down' }) })).toEqual([
      2,
      [`event ${at.up} announces node/a down, and so did event ${at.down} before it`],
    ]);
    expect(await broken({ log: changed(at.up, { from: 'degraded' }) })).toEqual([
      2,
      [`event ${at.up} announces node/a from degraded to up, and event ${at.down} had announced down`],
    ]);
  });

  it('3: finds an event that waited for somebody else’s receiver, and no event of whose own receiver failed', async () => {
    // Another receiver had failed, and was told of what came later at once.
    const late =
      "UPDATE delivery.attempt SET started_at = started_at + interval '5 minutes' WHERE subscription = 'ops'";
    const [promise, findings] = await broken({ sql: late });
    expect(promise).toBe(3);
    expect(findings).toContainEqual(
      expect.stringMatching(
        new RegExp(`^ops was told of event ${at.down} after 30\\d s, long after others of event ${at.last},`),
      ),
    );
    const failing = `UPDATE delivery.attempt SET delivered = false WHERE subscription = 'ops' AND position = ${at.down}`;
    const own = await verdicts({ sql: `${late}; ${failing}` });
    expect(own[2]?.findings.filter((text) => text.includes(`event ${at.up} `))).toEqual([]);
  });

  it('4: finds an outage that its evidence does not carry', async () => {
    const refused = { votes: { fail: 1, pass: 2, abstain: 0 } };
    const where = `event ${at.lasting}, node/c offline`;
    expect(await broken({ log: changed(at.lasting, refused) })).toEqual([4, [`${where}: the votes do not confirm it`]]);
    expect(await broken({ log: changed(at.lasting, { ...refused, confidence: 'single' }) })).toEqual([
      4,
      [`${where}: the other observers had refused it`],
    ]);
    expect(await broken({ log: changed(at.lasting, { evidence: [] }) })).toEqual([
      4,
      [`${where}: nobody has seen it fail`],
    ]);
    expect(await broken({ log: changed(at.lasting, { votes: { fail: 3, pass: 0, abstain: 0 } }) })).toEqual([
      4,
      [`${where}: 3 votes, and 2 observers that saw it fail`],
    ]);
  });

  it('4: finds an outage that rests on an observer that was cut off', async () => {
    // Cut off for longer than anything else here took.
    const cutOff = (event: RecordedEvent): RecordedEvent[] => {
      const hourMs = event.type === 'io.tocsin.observer.isolated' ? -3_600_000 : 3_600_000;
      const moved = { ...event, time: new Date(Date.parse(event.time) + hourMs).toISOString() };
      return [event.type.startsWith('io.tocsin.observer.') ? moved : event];
    };
    const [promise, findings] = await broken({ log: cutOff });
    expect(promise).toBe(4);
    expect(findings).toContain(`event ${at.down}, node/a offline: rests on obs-a, which was cut off then`);
  });

  it('5: finds attempts that are missing, that say nothing, and that are of no event', async () => {
    const ofRetries = "subscription = 'retries'";
    const first = await broken({ sql: `DELETE FROM delivery.attempt WHERE ${ofRetries} AND NOT delivered` });
    expect(first).toEqual([5, [expect.stringMatching(/there is an attempt 2, and none before it$/)]]);
    const mute = await broken({ sql: `UPDATE delivery.attempt SET status = NULL WHERE position = ${at.up}` });
    expect(mute).toEqual([5, [`delivery ${at.up}-ops: attempt 1 does not say how it was answered`]]);
    const beyond = await broken({
      sql: `INSERT INTO delivery.attempt SELECT subscription, 999999, shard, webhook_id, event_type, event_subject, number, started_at,
        delivered, outcome, status, error_class, detail, address, url_hash, phases_ms, response_bytes, body_head, next_at, worker, trace_id
        FROM delivery.attempt WHERE position = ${at.up}`,
    });
    expect(beyond).toEqual([5, ['delivery 999999-ops: was attempted, and the log has no such event']]);
    const pending = await broken({
      sql: `INSERT INTO delivery.pending (subscription, position, shard, subject, attempts, next_at, since)
        VALUES ('ops', ${at.up}, 0, 'node/a', 7, now(), now())`,
    });
    expect(pending).toEqual([5, [`delivery ${at.up}-ops: attempt 7 is missing`]]);
  });

  it('5: finds a change that was kept back without a word on what is known instead', async () => {
    expect(await broken({ log: changed(at.kept, { told: undefined }) })).toMatchObject([
      5,
      [expect.stringContaining('without a word')],
    ]);
  });
});
