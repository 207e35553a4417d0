import { Receiver, eventually, type TestProcess } from '@tocsin/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Surroundings } from '../delivery.harness.js';

const KILLS = 4;
const SUBJECTS = 100;
const TYPE = 'com.acme.chaos';

let around: Surroundings;

beforeAll(async () => {
  around = await Surroundings.start();
});

afterAll(async () => {
  await around?.stop();
});

/** What one receiver took, with a 2xx, in the order in which it came. */
class Taken {
  readonly log: { position: number; subject: string; sequence: number; id: string }[] = [];
  readonly #known = new Set<number>();
  repeats: number[] = [];

  constructor(
    readonly name: string,
    readonly receiver: Receiver,
  ) {}

  note(request: { json: unknown; headers: Record<string, string | string[] | undefined> }): void {
    const { position, subject, sequence } = request.json as { position: number; subject: string; sequence: number };
    if (this.#known.has(position)) this.repeats.push(position);
    this.#known.add(position);
    this.log.push({ position, subject, sequence, id: String(request.headers['webhook-id']) });
  }

  get positions(): ReadonlySet<number> {
    return this.#known;
  }
}

async function receivers(): Promise<Taken[]> {
  // One in three, and never two in a row: that opens no breaker, whose waits of up to minutes this is not about.
  const kinds = {
    healthy: { delayMs: 0, fails: () => false },
    slow: { delayMs: 30, fails: () => false },
    failing: { delayMs: 0, fails: (nth: number) => nth % 3 === 0 },
  };
  return Promise.all(
    Object.entries(kinds).map(async ([name, { delayMs, fails }]) => {
      const receiver = await Receiver.start();
      const taken = new Taken(name, receiver);
      let asked = 0;
      receiver.respond((request) => {
        asked += 1;
        if (fails(asked)) return { status: 503, delayMs };
        taken.note(request);
        return { status: 204, delayMs };
      });
      await around.subscribe(name, receiver.url, { types: [TYPE], retry: { schedule: Array(40).fill('1s') } });
      return taken;
    }),
  );
}

/** Deliveries a receiver has taken that no attempt says so of yet: at most these may come again after a kill. */
async function unrecorded(all: readonly Taken[]): Promise<Set<string>> {
  const rows = await around.database.query<{ key: string }>(
    `SELECT subscription || '|' || position AS key FROM delivery.attempt WHERE delivered`,
  );
  const recorded = new Set(rows.map(({ key }) => key));
  const open = new Set<string>();
  for (const { name, positions } of all) {
    for (const position of positions) if (!recorded.has(`${name}|${position}`)) open.add(`${name}|${position}`);
  }
  return open;
}

describe('two replicas, one of which is killed again and again', () => {
  it('lose nothing, keep every subject in order, and repeat only what was in flight', async () => {
    const replicas: TestProcess[] = await Promise.all([around.spawnDelivery('one'), around.spawnDelivery('two')]);
    const taken = await receivers();
    const sent: number[] = [];
    let sending = true;
    const ingest = (async () => {
      for (let round = 0; sending; round += 1) {
        const events = Array.from({ length: 10 }, (_, n) => ({
          type: TYPE,
          subject: `thing/${(round * 10 + n) % SUBJECTS}`,
        }));
        sent.push(...(await around.append(events)).map(({ position }) => position));
        await sleep(400);
      }
    })();
    const mayRepeat = new Set<string>();
    let inFlight = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(2_000);
      const index = kill % 2;
      await replicas[index]?.kill9();
      const open = await unrecorded(taken);
      inFlight += open.size;
      for (const key of open) mayRepeat.add(key);
      replicas[index] = await around.spawnDelivery(`${index}-${kill}`);
    }
    sending = false;
    await ingest;
    await eventually(() => taken.every(({ positions }) => sent.every((position) => positions.has(position))), {
      what: 'everybody was told everything',
      timeoutMs: 120_000,
      intervalMs: 100,
    });

    const repeats = taken.flatMap(({ name, repeats: positions }) => positions.map((position) => `${name}|${position}`));
    // The figures are part of what this test is for.
    // oxlint-disable-next-line no-console
    console.info(
      `${sent.length} events to 3 receivers, ${KILLS} kills: 0 lost, ${repeats.length} repeated, ${inFlight} in flight at the kills`,
    );
    expect(repeats.length).toBeLessThanOrEqual(inFlight);
    expect(repeats.filter((key) => !mayRepeat.has(key))).toEqual([]);
    for (const { log } of taken) {
      const ids = new Map<number, string>();
      const last = new Map<string, number>();
      for (const { position, subject, sequence, id } of log) {
        expect(ids.get(position) ?? id).toBe(id);
        ids.set(position, id);
        expect(sequence).toBeGreaterThanOrEqual(last.get(subject) ?? 0);
        last.set(subject, sequence);
      }
    }
    await Promise.all(taken.map(({ receiver }) => receiver.close()));
  }, 240_000);

  it('take over within five seconds', async () => {
    const receiver = await Receiver.start();
    const replicas = await Promise.all([around.spawnDelivery('three'), around.spawnDelivery('four')]);
    const shards = async () =>
      around.database.query<{ owner: string; lives: boolean }>(
        'SELECT owner, lease_until > now() AS lives FROM delivery.shard',
      );
    await eventually(async () => new Set((await shards()).map(({ owner }) => owner)).size >= 2, {
      what: 'both have shards',
      timeoutMs: 20_000,
    });
    const names = Array.from({ length: 16 }, (_, n) => `take-over-${n}`);
    for (const name of names) await around.subscribe(name, receiver.url, { types: ['com.acme.over'] });
    await around.append([{ type: 'com.acme.over', subject: 'thing/first' }]);
    await receiver.waitFor(16, 20_000);
    const killedAt = performance.now();
    await replicas[0]?.kill9();
    await around.append([{ type: 'com.acme.over', subject: 'thing/second' }]);
    await eventually(
      () =>
        receiver.requests.filter((request) => (request.json as { subject: string }).subject === 'thing/second')
          .length >= 16,
      { what: 'all were told by the other', timeoutMs: 20_000 },
    );
    const tookMs = Math.round(performance.now() - killedAt);
    // The figures are part of what this test is for.
    // oxlint-disable-next-line no-console
    console.info(`taken over in ${tookMs} ms`);
    expect(tookMs).toBeLessThan(5_000);
    await receiver.close();
  }, 120_000);
});
