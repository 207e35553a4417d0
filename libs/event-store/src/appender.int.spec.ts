import { listen, type Queryable } from '@tocsin/postgres';
import type { Appended } from '@tocsin/contracts';
import { cloudEventJson, isTocsinError, type EventToAppend } from '@tocsin/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOG_CHANNEL } from './log-database.js';
import { RecentEvents } from './recent-events.js';
import { findings, newEvent, openLog, outcome, staysOpen, type TestLog } from './log.harness.js';

let test: TestLog;
beforeEach(async () => {
  test = await openLog();
});
afterEach(() => test.close());

const append = (...events: EventToAppend[]): Promise<Appended[]> => test.appender.append({ events });

/** Holds the head of the log in a transaction of its own, as a batch in flight does, until let go. */
async function holdHead(): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const transaction = test.database.transaction(async (tx) => {
    await tx.query('SELECT 1 FROM log.head FOR NO KEY UPDATE');
    held.resolve();
    await end.promise;
  });
  await held.promise;
  return async () => {
    end.resolve();
    await transaction;
  };
}

describe('group commit', () => {
  it('gathers what comes while a transaction is in flight into the next one, with one notification each', async () => {
    const notified: (string | undefined)[] = [];
    const listening = await listen({
      ...{ url: test.admin.url, applicationName: 'spec', channel: LOG_CHANNEL },
      onNotify: (payload) => notified.push(payload),
    });
    const letGo = await holdHead();
    const first = append(newEvent());
    // The first batch is on its way once the event loop has turned.
    await staysOpen(first, 50);
    const rest = Array.from({ length: 100 }, () => append(newEvent()));
    expect(await staysOpen(Promise.race([first, ...rest]), 50)).toBe(true);
    await letGo();
    const times = (await Promise.all([first, ...rest])).map(([answer]) => answer?.recordedAt);
    await expect.poll(() => notified).toEqual(['1', '101']);
    expect(new Set(times.slice(1)).size).toBe(1);
    await listening.close();
  });

  it('gives what it has committed as reading gives it, and nothing that was there before or failed', async () => {
    const recent = new RecentEvents();
    const appender = test.rival({ recent });
    const { head } = await appender.becomeLeader();
    const known = newEvent();
    const odd = newEvent({
      ...{ time: '2026-03-29T01:30:00.98765+02:00', datacontenttype: 'application/json', dataschema: 'urn:a' },
      ...{
        extensions: { b: 1, a: 'x', traceparent: 'y' },
        data: JSON.parse('{"b":[null,-0,1e21,"ü"],"10":1,"2":{"__proto__":1}}'),
      },
    });
    await appender.append({ events: [known] });
    await Promise.all([
      appender.append({ events: [odd, { ...newEvent(), data: null }] }),
      outcome(appender.append({ events: [newEvent()], expect: { [known.subject]: 9 } })),
      appender.append({ events: [known, newEvent(), known] }),
    ]);
    const { events } = await test.log.read({ after: head, limit: 100 });
    expect(events).toHaveLength(4);
    const given = recent.after(head, 100);
    // In JSON there is no -0.
    expect(JSON.parse(JSON.stringify(given?.map(({ dataJson: _, ...event }) => event)))).toEqual(events);
    expect(given?.map(cloudEventJson)).toEqual(events.map(cloudEventJson));
    expect(given?.every(({ dataJson }) => dataJson !== undefined)).toBe(true);
    await appender.stepDown();
  });

  it('fails one append of a batch alone, whatever is wrong with it', async () => {
    await test.admin.query(`ALTER TABLE log.event ADD CONSTRAINT unforeseen CHECK (subject <> 'node/unforeseen')`);
    const known = newEvent({ subject: 'node/known' });
    await append(known);
    const codes = await Promise.all([
      outcome(append(newEvent())),
      outcome(test.appender.append({ events: [newEvent()], expect: { 'node/known': 7 } })),
      outcome(append(newEvent(), { ...known, data: 'other' })),
      outcome(append(newEvent({ subject: 'node/unforeseen' }))),
      outcome(append(newEvent())),
    ]);
    expect(codes).toEqual(['done', 'TCN_VERSION_CONFLICT', 'TCN_KEY_REUSED', 'TCN_INVALID', 'done']);
    expect(await test.log.head()).toBe(3);
    expect(await findings(test.log)).toEqual([]);
  });

  it('refuses what it cannot hold, with advice when to come back', async () => {
    const small = test.rival({ maxWaitingEvents: 10 });
    await small.becomeLeader();
    const letGo = await holdHead();
    const running = [small.append({ events: [newEvent()] })];
    await staysOpen(Promise.all(running), 50);
    for (let waiting = 0; waiting < 10; waiting += 1) running.push(small.append({ events: [newEvent()] }));
    const refused = await small.append({ events: [newEvent()] }).catch((error: unknown) => error);
    expect(isTocsinError(refused, 'TCN_OVERLOADED') && refused.retryAfterMs).toBeGreaterThan(0);
    await letGo();
    await Promise.all(running);
    expect(await outcome(small.append({ events: [newEvent()] }))).toBe('done');
  });

  it('takes an append of a thousand events, and one of many bytes', async () => {
    const many = await append(...Array.from({ length: 1000 }, () => newEvent()));
    expect(many.at(-1)?.position).toBe(1000);
    const large = newEvent({ data: 'x'.repeat(6_000_000) });
    const answers = await Promise.all([append(newEvent()), append(large), append(newEvent())]);
    expect(answers.map(([answer]) => answer?.position)).toEqual([1001, 1002, 1003]);
    expect((await test.log.get(1002))?.data).toBe(large.data);
  });

  it('refuses data that is nested too deeply to be spelled, and not its neighbours', async () => {
    let deep: EventToAppend['data'] = null;
    for (let level = 0; level < 200_000; level += 1) deep = [deep];
    const codes = await Promise.all([outcome(append(newEvent())), outcome(append(newEvent({ data: deep })))]);
    expect(codes).toEqual(['done', 'TCN_INVALID']);
  });

  it('commits durably where the server would not by default', async () => {
    await test.admin.query(`ALTER DATABASE ${test.admin.name} SET synchronous_commit = off`);
    await test.database.transaction(async (tx: Queryable) => {
      await tx.query('SET LOCAL synchronous_commit = off');
      await tx.query(
        `SELECT log.append((SELECT epoch FROM log.head), ${Array(12).fill("'{}'").join(', ')}, '{}', '{}', '{}', '{}')`,
      );
      expect(await tx.query('SHOW synchronous_commit')).toEqual([{ synchronous_commit: 'on' }]);
    });
  });
});

describe('leadership', () => {
  it('is needed to append', async () => {
    const idle = test.rival();
    expect(await outcome(idle.append({ events: [newEvent()] }))).toBe('TCN_UNAVAILABLE');
    await idle.becomeLeader();
    expect(await outcome(idle.append({ events: [newEvent()] }))).toBe('done');
    await idle.stepDown();
    expect(await outcome(idle.append({ events: [newEvent()] }))).toBe('TCN_UNAVAILABLE');
  });

  it('passes to whoever takes it last; the former leader is fenced and told once', async () => {
    let fenced = 0;
    const former = test.rival({ onFenced: () => (fenced += 1) });
    const { epoch } = await former.becomeLeader();
    const letGo = await holdHead();
    const inFlight = outcome(former.append({ events: [newEvent()] }));
    await staysOpen(inFlight, 50);
    const waiting = outcome(former.append({ events: [newEvent()] }));
    const later = test.rival();
    // The head is held: the takeover may come before or after the batch in flight, and both are right.
    const takeover = later.becomeLeader();
    await letGo();
    expect((await takeover).epoch).toBe(epoch + 1);
    const outcomes = [await inFlight, await waiting, await outcome(former.append({ events: [newEvent()] }))];
    expect(outcomes.slice(1)).toEqual(expect.arrayContaining(['TCN_FENCED']));
    expect(fenced).toBe(1);
    expect(former.epoch).toBeUndefined();
    expect(await test.log.head()).toBe(outcomes.filter((each) => each === 'done').length);
    expect(await outcome(later.append({ events: [newEvent()] }))).toBe('done');
  });

  it('keeps the log whole while two appenders take it from each other and writers retry', async () => {
    const rivals = [test.rival(), test.rival()];
    let fighting = true;
    const fight = (async () => {
      for (let turn = 0; fighting; turn += 1) {
        await rivals[turn % 2]?.becomeLeader();
        await staysOpen(test.database.query('SELECT 1'), 5);
      }
    })();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, writer) => {
        const own: Appended[] = [];
        for (let n = 0; n < 15; n += 1) {
          const events = [newEvent({ subject: `fight/${writer % 5}` })];
          for (let attempt = 0; ; attempt += 1) {
            try {
              own.push(...((await rivals[(writer + attempt) % 2]?.append({ events })) ?? []));
              break;
            } catch (error) {
              if (!isTocsinError(error) || !error.retryable) throw error;
              await test.database.query('SELECT 1');
            }
          }
        }
        return own;
      }),
    );
    fighting = false;
    await fight;
    const positions = answers.flat().map(({ position }) => position);
    expect(positions.toSorted((a, b) => a - b)).toEqual(positions.map((_, index) => index + 1));
    expect(await findings(test.log)).toEqual([]);
  });
});

describe('visibility', () => {
  it('shows nothing of a transaction before its commit, and lets no later position appear before it', async () => {
    const letGo = await holdHead();
    const pending = append(newEvent());
    expect(await staysOpen(pending)).toBe(true);
    expect(await test.log.read({ after: 0, limit: 10 })).toEqual({ events: [], next: 0, head: 0 });
    await letGo();
    await pending;
    expect((await test.log.read({ after: 0, limit: 10 })).head).toBe(1);
  });

  it('skips no event for readers that look at any moment, each on a connection of its own', async () => {
    let writing = true;
    const readers = Array.from({ length: 4 }, async () => {
      const seen: number[] = [];
      for (;;) {
        const done = !writing;
        const rows = await test.database.query<{ position: number }>(
          'SELECT position FROM log.event WHERE position > $1 ORDER BY position',
          [seen.at(-1) ?? 0],
        );
        seen.push(...rows.map(({ position }) => position));
        if (done) return seen;
      }
    });
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        for (let n = 0; n < 20; n += 1) await append(...Array.from({ length: 1 + (n % 3) }, () => newEvent()));
      }),
    );
    writing = false;
    const head = await test.log.head();
    for (const seen of await Promise.all(readers)) expect(seen).toEqual(Array.from({ length: head }, (_, n) => n + 1));
  });
});

describe('a lost connection', () => {
  it('is answered with an error that may be retried, and the retry tells whether it was recorded', async () => {
    const letGo = await holdHead();
    const event = newEvent();
    const interrupted = outcome(append(event));
    await staysOpen(interrupted, 50);
    await test.admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%log.append%' AND pid <> pg_backend_pid()`,
    );
    expect(await interrupted).toBe('TCN_UNAVAILABLE');
    await letGo();
    expect(await append(event)).toMatchObject([{ position: 1, repeated: false }]);
    expect(await append(event)).toMatchObject([{ position: 1, repeated: true }]);
  });
});
