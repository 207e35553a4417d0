import { Receiver, eventually } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningDelivery, Surroundings } from '../delivery.harness.js';
import { MOST_TRACKED } from './backlog.js';

const EVENTS = 30_000;
const SUBJECTS = 200;

let around: Surroundings;
let delivery: RunningDelivery;

beforeAll(async () => {
  around = await Surroundings.start();
  delivery = await around.delivery();
});

afterAll(async () => {
  await delivery?.close();
  await around?.stop();
});

async function rows(table: string, name: string): Promise<number> {
  const [row] = await around.database.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM delivery.${table} WHERE subscription = $1`,
    [name],
  );
  return row?.rows ?? 0;
}

function events(type: string): { type: string; subject: string }[] {
  return Array.from({ length: EVENTS }, (_, n) => ({ type, subject: `${type}/${n % SUBJECTS}` }));
}

function isNewest(request: { json: unknown }): boolean {
  return (request.json as { sequence: number }).sequence === EVENTS / SUBJECTS + 1;
}

describe('an endpoint that is down while very much happens', () => {
  it('costs one row, and is told the newest of each subject first when it is back', async () => {
    const receiver = await Receiver.start({ answer: { status: 503 } });
    const type = 'com.acme.latest';
    await around.subscribe('latest', receiver.url, { types: [type], delivery: 'latest' });
    await around.append([...new Set(events(type).map(({ subject }) => subject))].map((subject) => ({ type, subject })));
    const told = () => around.database.query(`SELECT FROM log.event WHERE subject = 'subscription-health/latest'`);
    await eventually(async () => (await told()).length === 1, { what: 'it is told to be failing', timeoutMs: 20_000 });
    const appended = await around.append(events(type));
    await around.settledUpTo(appended.at(-1)?.position ?? 0, 60_000);
    expect(await rows('parked', 'latest')).toBe(1);
    expect(await rows('pending', 'latest')).toBeLessThanOrEqual(SUBJECTS);
    expect(await rows('superseded', 'latest')).toBeLessThanOrEqual(SUBJECTS);
    receiver.clear();
    const firstSuccess = Promise.withResolvers<number>();
    receiver.respond(() => {
      firstSuccess.resolve(performance.now());
      return {};
    });
    const backAt = await firstSuccess.promise;
    await eventually(() => receiver.requests.filter(isNewest).length === SUBJECTS, {
      what: 'the newest of each subject has come',
      timeoutMs: 20_000,
    });
    const tookMs = Math.round(performance.now() - backAt);
    const first = receiver.requests.findIndex(isNewest);
    // The figures are part of what this test is for.
    // oxlint-disable-next-line no-console
    console.info(`newest of ${SUBJECTS} subjects, ${EVENTS} events behind: ${tookMs} ms after the first success`);
    // The two probes may be of old events; everything after them is new.
    expect(receiver.requests.slice(Math.max(first, 2)).every(isNewest)).toBe(true);
    expect((receiver.requests[Math.max(first, 2)]?.monotonicMs ?? 0) - backAt).toBeLessThan(2_000);
    await eventually(async () => (await rows('parked', 'latest')) === 0, { what: 'it is not parked any more' });
    await receiver.close();
  }, 180_000);

  it('finds the newest of each subject also after a change of owner', async () => {
    const receiver = await Receiver.start({ answer: { status: 503 } });
    const type = 'com.acme.owner';
    await around.subscribe('owner', receiver.url, { types: [type], delivery: 'latest', paused: true });
    const appended = await around.append(events(type).slice(0, 5_000));
    await around.settledUpTo(appended.at(-1)?.position ?? 0, 60_000);
    await delivery.close();
    delivery = await around.delivery();
    receiver.respond({});
    await around.subscribe('owner', receiver.url, { types: [type], delivery: 'latest' });
    await eventually(async () => receiver.requests.length >= SUBJECTS && (await rows('parked', 'owner')) === 0, {
      what: 'the newest have come',
      timeoutMs: 30_000,
    });
    expect(receiver.requests).toHaveLength(SUBJECTS);
    const sequences = receiver.requests.map((request) => (request.json as { sequence: number }).sequence);
    expect(new Set(sequences)).toEqual(new Set([5_000 / SUBJECTS]));
    const [row] = await around.database.query<{ events: number }>(
      `SELECT sum(events)::int AS events FROM delivery.superseded WHERE subscription = 'owner'`,
    );
    expect(row?.events).toBe(5_000 - SUBJECTS);
    await receiver.close();
  }, 120_000);

  it('holds no more than its share where every event counts, and is told all of them in order', async () => {
    const receiver = await Receiver.start({ answer: { status: 503 } });
    const type = 'com.acme.every';
    const count = 4 * MOST_TRACKED;
    await around.subscribe('every', receiver.url, { types: [type] });
    const appended = await around.append(events(type).slice(0, count));
    await around.settledUpTo(appended.at(-1)?.position ?? 0, 60_000);
    expect(await rows('pending', 'every')).toBeLessThanOrEqual(MOST_TRACKED);
    expect(await rows('parked', 'every')).toBe(1);
    receiver.clear();
    receiver.respond({});
    await eventually(() => receiver.requests.length >= count, { what: 'all have come', timeoutMs: 60_000 });
    await eventually(async () => (await rows('parked', 'every')) + (await rows('pending', 'every')) === 0, {
      what: 'nothing is owed any more',
    });
    expect(receiver.requests).toHaveLength(count);
    const last = new Map<string, number>();
    for (const { json } of receiver.requests) {
      const { subject, sequence } = json as { subject: string; sequence: number };
      expect(sequence).toBe((last.get(subject) ?? 0) + 1);
      last.set(subject, sequence);
    }
    const { body } = await delivery.call('GET', '/v1/deliveries/verify');
    expect(body).toMatchObject({ ok: true, missing: [] });
    await receiver.close();
  }, 180_000);
});
