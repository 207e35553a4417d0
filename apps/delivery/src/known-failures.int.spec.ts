import { eventually, Receiver } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Surroundings } from './delivery.harness.js';

// What others have got wrong, against us. Bulk retry of N sends N once each, the last scheduled attempt and no more than the schedule, an
// endpoint deleted with rows waiting: delivery.int.spec.ts. Two replicas killed again and again: shards/hand-over.int.spec.ts.
let around: Surroundings;
let names = 0;

beforeAll(async () => {
  around = await Surroundings.start();
});

afterAll(() => around?.stop());

function fresh(): { name: string; type: string } {
  names += 1;
  return { name: `known${names}`, type: `com.acme.known${names}` };
}

const subjectOf = (request: { json: unknown }): string => (request.json as { subject: string }).subject;
const positionOf = (request: { json: unknown }): number => (request.json as { position: number }).position;

describe('known failures of others', () => {
  it('a manual and the automatic retry at once are one attempt', async () => {
    const delivery = await around.delivery();
    const { name, type } = fresh();
    const receiver = await Receiver.start({ answer: { status: 500 } });
    await around.subscribe(name, receiver.url, { types: [type], retry: { schedule: ['1s', '10m'] } });
    const [event] = await around.append([{ type, subject: 'thing/a' }]);
    await receiver.waitFor(1);
    receiver.respond({ delayMs: 300 });
    const id = `${event?.position}-${name}`;
    // From before it is due to after it is delivered, on and on.
    let asking = true;
    const byHand = (async () => {
      while (asking) {
        await Promise.all([1, 2].map(() => delivery.call('POST', `/v1/deliveries/${id}/retry`)));
      }
    })();
    await eventually(async () => (await delivery.call('GET', `/v1/deliveries/${id}`)).body.state === 'delivered', {
      what: 'it is delivered',
    });
    asking = false;
    await byHand;
    await around.settledUpTo(event?.position ?? 0);
    const { body } = await delivery.call('GET', `/v1/deliveries/${id}`);
    expect(body.history.map((attempt: { outcome: string }) => attempt.outcome)).toEqual(['retry', 'delivered']);
    expect(receiver.requests).toHaveLength(2);
    await receiver.close();
    await delivery.close();
  });

  it('a pause and a resume in the midst of what comes lose nothing, repeat nothing and keep the order', async () => {
    const delivery = await around.delivery();
    const { name, type } = fresh();
    const receiver = await Receiver.start();
    await around.subscribe(name, receiver.url, { types: [type] });
    let coming = true;
    const sent: number[] = [];
    const ingest = (async () => {
      while (coming) {
        const events = Array.from({ length: 10 }, (_, n) => ({ type, subject: `${name}/${n % 3}` }));
        sent.push(...(await around.append(events)).map(({ position }) => position));
      }
    })();
    for (let turn = 0; turn < 8; turn += 1) {
      const more = sent.length + 30;
      await eventually(() => sent.length >= more, { what: 'more has come' });
      await around.subscribe(name, receiver.url, { types: [type], paused: turn % 2 === 0 });
    }
    coming = false;
    await ingest;
    await receiver.waitFor(sent.length, 30_000);
    await around.settledUpTo(sent.at(-1) ?? 0);
    expect(receiver.requests.map(positionOf).toSorted((a, b) => a - b)).toEqual(sent);
    for (const subject of [0, 1, 2].map((n) => `${name}/${n}`)) {
      const positions = receiver.requests.filter((request) => subjectOf(request) === subject).map(positionOf);
      expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    }
    await receiver.close();
    await delivery.close();
  });

  it('a subscription made between two events is told of exactly the second', async () => {
    const delivery = await around.delivery();
    const type = fresh().type;
    const receivers = new Map<string, Receiver>();
    const wanted = new Map<string, number[]>();
    for (let n = 0; n < 10; n += 1) {
      const { name } = fresh();
      const receiver = await Receiver.start();
      receivers.set(name, receiver);
      const before = around.append([{ type, subject: 'thing/before' }]);
      const made = around.subscribe(name, receiver.url, { types: [type] });
      const after = around.append([{ type, subject: 'thing/after' }]);
      const positions = [...(await before), ...(await after)].map(({ position }) => position);
      const birth = (await made).position;
      wanted.set(name, []);
      // Whoever lives is told of what comes after him, whichever of the three was first.
      for (const [known, list] of wanted) {
        list.push(...positions.filter((position) => known !== name || position > birth));
      }
    }
    for (const [name, receiver] of receivers) await receiver.waitFor(wanted.get(name)?.length ?? 0);
    await around.settledUpTo(Math.max(...[...wanted.values()].flat()));
    for (const [name, receiver] of receivers) {
      const came = receiver.requests.map(positionOf).toSorted((a, b) => a - b);
      expect(came).toEqual(wanted.get(name)?.toSorted((a, b) => a - b));
      await receiver.close();
    }
    await delivery.close();
  });

  it('a kill in the midst of a fan-out repeats nothing that was written down', async () => {
    const type = fresh().type;
    const receiver = await Receiver.start({ answer: { delayMs: 30 } });
    const subscribers = Array.from({ length: 40 }, () => fresh().name);
    for (const name of subscribers) await around.subscribe(name, `${receiver.url}/${name}`, { types: [type] });
    const replica = await around.spawnDelivery('to be killed');
    const appended = await around.append(Array.from({ length: 10 }, (_, n) => ({ type, subject: `fan/${n}` })));
    await receiver.waitFor(100, 20_000);
    await replica.kill9();
    const rows = await around.database.query<{ key: string }>(
      `SELECT subscription || '|' || position AS key FROM delivery.attempt WHERE delivered AND event_type = $1`,
      [type],
    );
    const written = new Set(rows.map(({ key }) => key));
    const seen = receiver.requests.length;
    const again = await around.delivery();
    const keyOf = (request: { path: string; json: unknown }): string =>
      `${request.path.split('/').at(-1)}|${positionOf(request)}`;
    const wanted = subscribers.length * appended.length;
    await eventually(() => new Set(receiver.requests.map(keyOf)).size >= wanted, {
      what: 'everybody is told everything',
      timeoutMs: 40_000,
    });
    await around.settledUpTo(appended.at(-1)?.position ?? 0);
    expect(written.size).toBeGreaterThan(20);
    expect(
      receiver.requests
        .slice(seen)
        .map(keyOf)
        .filter((key) => written.has(key)),
    ).toEqual([]);
    await again.close();
    await receiver.close();
  }, 120_000);
});
