import { Receiver, eventually } from '@tocsin/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningDelivery, Surroundings } from './delivery.harness.js';

let around: Surroundings;
let delivery: RunningDelivery;
let receiver: Receiver;
let names = 0;

beforeAll(async () => {
  around = await Surroundings.start();
  delivery = await around.delivery();
});

afterAll(async () => {
  await delivery?.close();
  await around?.stop();
});

beforeEach(async () => {
  receiver = await Receiver.start();
});

afterEach(async () => {
  await receiver.close();
});

/** A name and a type that no other test uses. */
function fresh(): { name: string; type: string } {
  names += 1;
  return { name: `s${names}`, type: `com.acme.t${names}` };
}

/** What came, as `<subject>@<sequence>`. */
function came(): string[] {
  return receiver.requests.map((request) => {
    const { subject, sequence } = request.json as { subject: string; sequence: number };
    return `${subject}@${sequence}`;
  });
}

async function stateOf(name: string, position: number): Promise<string> {
  const { body } = await delivery.call('GET', `/v1/deliveries/${position}-${name}`);
  return body.state as string;
}

/** Delivery's own events about a subscription, oldest first. */
async function told(name: string): Promise<string[]> {
  const rows = await around.database.query<{ type: string }>(
    'SELECT type FROM log.event WHERE subject = $1 ORDER BY position',
    [`subscription-health/${name}`],
  );
  return rows.map(({ type }) => type.replace('io.tocsin.subscription.', ''));
}

describe('delivery', () => {
  it('sends what is recorded after a subscription, signed, each once, subjects in order', async () => {
    const { name, type } = fresh();
    await around.append([{ type, subject: 'thing/before' }]);
    const { secret } = await around.subscribe(name, receiver.url, { types: [type] });
    receiver.secrets = [secret];
    const subjects = Array.from({ length: 60 }, (_, n) => `thing/${n % 3}`);
    const appended = await around.append(subjects.map((subject) => ({ type, subject })));
    await receiver.waitFor(60);
    await around.settledUpTo(appended.at(-1)?.position ?? 0);
    expect(came()).toHaveLength(60);
    expect(receiver.requests.every((request) => request.verified)).toBe(true);
    for (const subject of ['thing/0', 'thing/1', 'thing/2']) {
      const ofSubject = came().filter((one) => one.startsWith(`${subject}@`));
      expect(ofSubject).toEqual(Array.from({ length: 20 }, (_, n) => `${subject}@${n + 1}`));
    }
  });

  it('tells of an endpoint that fails, once, and of its recovery', async () => {
    const { name, type } = fresh();
    receiver.respond({ status: 503 });
    await around.subscribe(name, receiver.url, { types: [type], retry: { schedule: Array(20).fill('1s') } });
    await around.append(Array.from({ length: 8 }, (_, n) => ({ type, subject: `thing/${n}` })));
    await eventually(async () => (await told(name)).includes('failing'), { what: 'it is told to be failing' });
    receiver.respond({});
    await eventually(async () => (await told(name)).includes('recovered'), {
      what: 'it has recovered',
      timeoutMs: 20_000,
    });
    expect(await told(name)).toEqual(['failing', 'recovered']);
  });

  it('disables a subscription that is told 410, keeps what it is owed, and goes on when it is declared anew', async () => {
    const { name, type } = fresh();
    receiver.respond({ status: 410 });
    const { position: revision } = await around.subscribe(name, receiver.url, { types: [type] });
    const [first] = await around.append([{ type, subject: `${name}/a` }]);
    await eventually(async () => (await told(name)).length >= 2, { what: 'it is told' });
    expect(await told(name)).toEqual(['gone', 'disabled']);
    // By the revision the registry sees which declaration it holds for.
    expect(
      await around.database.query('SELECT data FROM log.event WHERE subject = $1 ORDER BY position DESC LIMIT 1', [
        `subscription-health/${name}`,
      ]),
    ).toMatchObject([{ data: { name, reason: 'gone', answer: '410', position: first?.position, revision } }]);
    const later = await around.append([
      { type, subject: `${name}/a` },
      { type, subject: `${name}/b` },
    ]);
    await around.settledUpTo(later[1]?.position ?? 0);
    expect(receiver.requests).toHaveLength(1);
    expect(await stateOf(name, first?.position ?? 0)).toBe('pending');
    expect(await stateOf(name, later[0]?.position ?? 0)).toBe('parked');
    receiver.respond({});
    await around.subscribe(name, receiver.url, { types: [type] });
    await receiver.waitFor(4);
    expect(came().filter((one) => one.startsWith(`${name}/a`))).toEqual([`${name}/a@1`, `${name}/a@1`, `${name}/a@2`]);
    expect(came().filter((one) => one.startsWith(`${name}/b`))).toEqual([`${name}/b@1`]);
  });

  it('leaves a whole endpoint alone for as long as Retry-After says', async () => {
    const { name, type } = fresh();
    receiver.respondOnce({ status: 429, headers: { 'retry-after': '2' } });
    await around.subscribe(name, receiver.url, { types: [type], retry: { schedule: ['1s'] } });
    await around.append([{ type, subject: 'thing/a' }]);
    await receiver.waitFor(1);
    await around.append([{ type, subject: 'thing/b' }]);
    await receiver.waitFor(3);
    const [refused, ...others] = receiver.requests.map(({ monotonicMs }) => monotonicMs);
    for (const at of others) expect(at - (refused ?? 0)).toBeGreaterThan(1_950);
  });

  it('goes by a schedule of the subscription, and gives up at its end', async () => {
    const { name, type } = fresh();
    receiver.respond({ status: 500 });
    await around.subscribe(name, receiver.url, { types: [type], retry: { schedule: ['1s', '1s'] } });
    const [event] = await around.append([{ type, subject: 'thing/a' }]);
    const id = `${event?.position}-${name}`;
    await eventually(async () => (await stateOf(name, event?.position ?? 0)) === 'dead', { what: 'it is given up' });
    const { body } = await delivery.call('GET', `/v1/deliveries/${id}`);
    expect(body).toMatchObject({ state: 'dead', attempts: 3, reason: 'schedule-exhausted' });
    expect(receiver.requests).toHaveLength(3);
    expect(new Set(receiver.requests.map((request) => request.headers['webhook-id'])).size).toBe(1);
  });

  it('retries by hand what was given up, each once, however many ask at a time', async () => {
    const { name, type } = fresh();
    receiver.respond({ status: 413 });
    await around.subscribe(name, receiver.url, { types: [type] });
    const appended = await around.append(Array.from({ length: 30 }, (_, n) => ({ type, subject: `thing/${n}` })));
    const last = appended.at(-1)?.position ?? 0;
    await around.settledUpTo(last);
    await eventually(
      async () =>
        (await delivery.call('GET', `/v1/deliveries?subscription=${name}&state=dead`)).body.items.length === 30,
      { what: 'all are dead' },
    );
    receiver.clear();
    receiver.respond({});
    const answers = await Promise.all(
      [1, 2, 3].map(() => delivery.call('POST', '/v1/deliveries/retry', { subscription: name })),
    );
    expect(answers.reduce((sum, { body }) => sum + body.retried, 0)).toBe(30);
    await receiver.waitFor(30);
    expect((await delivery.call('POST', `/v1/deliveries/${last}-${name}/retry`)).body.code).toBe('TCN_CONFLICT');
    await eventually(async () => (await stateOf(name, last)) === 'delivered', { what: 'the last is delivered' });
    expect(new Set(came()).size).toBe(30);
    expect(came()).toHaveLength(30);
    expect(await around.database.query('SELECT FROM delivery.dead WHERE subscription = $1', [name])).toEqual([]);
    expect(await around.database.query('SELECT FROM delivery.pending WHERE subscription = $1', [name])).toEqual([]);
  });

  it('tries now what waits for a retry, when asked to', async () => {
    const { name, type } = fresh();
    receiver.respondOnce({ status: 500 });
    await around.subscribe(name, receiver.url, { types: [type], retry: { schedule: ['10m'] } });
    const [event] = await around.append([{ type, subject: 'thing/a' }]);
    await eventually(async () => (await stateOf(name, event?.position ?? 0)) === 'pending', { what: 'it waits' });
    expect((await delivery.call('POST', `/v1/deliveries/${event?.position}-${name}/retry`)).status).toBe(202);
    await receiver.waitFor(2);
    await eventually(async () => (await stateOf(name, event?.position ?? 0)) === 'delivered', {
      what: 'it is delivered',
    });
    expect(receiver.requests).toHaveLength(2);
  });

  it('sends nothing while paused, and everything, in order, when resumed', async () => {
    const { name, type } = fresh();
    await around.subscribe(name, receiver.url, { types: [type] });
    await around.append([{ type, subject: `${name}/a` }]);
    await receiver.waitFor(1);
    await around.subscribe(name, receiver.url, { types: [type], paused: true });
    const waiting = await around.append(
      Array.from({ length: 40 }, (_, n) => ({ type, subject: `${name}/${n % 2 === 0 ? 'a' : 'b'}` })),
    );
    await around.settledUpTo(waiting.at(-1)?.position ?? 0);
    expect(receiver.requests).toHaveLength(1);
    expect((await delivery.call('GET', `/v1/deliveries/parked?subscription=${name}`)).body.items).toMatchObject([
      { subscription: name, reason: 'paused' },
    ]);
    await around.subscribe(name, receiver.url, { types: [type] });
    await receiver.waitFor(41);
    expect(came().filter((one) => one.startsWith(`${name}/b`))).toEqual(
      Array.from({ length: 20 }, (_, n) => `${name}/b@${n + 1}`),
    );
    expect(new Set(came()).size).toBe(41);
  });

  it('tells only the newest of each subject after a pause, where only the latest counts', async () => {
    const { name, type } = fresh();
    await around.subscribe(name, receiver.url, { types: [type], delivery: 'latest', paused: true });
    const waiting = await around.append(Array.from({ length: 90 }, (_, n) => ({ type, subject: `${name}/${n % 3}` })));
    await around.settledUpTo(waiting.at(-1)?.position ?? 0);
    await around.subscribe(name, receiver.url, { types: [type], delivery: 'latest' });
    await receiver.waitFor(3);
    await eventually(
      async () =>
        (await delivery.call('GET', '/v1/deliveries/parked')).body.items.every(
          (one: { subscription: string }) => one.subscription !== name,
        ),
      { what: 'it is not parked any more' },
    );
    expect(came().toSorted()).toEqual([`${name}/0@30`, `${name}/1@30`, `${name}/2@30`]);
    expect(await stateOf(name, waiting[0]?.position ?? 0)).toBe('superseded');
    const { body } = await delivery.call('GET', `/v1/deliveries?subscription=${name}&state=superseded`);
    expect(body.items.map((one: { superseded: { events: number } }) => one.superseded.events)).toEqual([29, 29, 29]);
  });

  it('sends no more than the rate of the subscription', async () => {
    const { name, type } = fresh();
    await around.subscribe(name, receiver.url, { types: [type], rate: { perSecond: 10 } });
    await around.append(Array.from({ length: 11 }, (_, n) => ({ type, subject: `thing/${n}` })));
    const requests = await receiver.waitFor(11);
    expect((requests.at(-1)?.monotonicMs ?? 0) - (requests[0]?.monotonicMs ?? 0)).toBeGreaterThan(950);
  });

  it('begins a subscription in the past, without gap and without repetition', async () => {
    const { name, type } = fresh();
    const past = await around.append(Array.from({ length: 500 }, (_, n) => ({ type, subject: `thing/${n % 7}` })));
    const from = { position: past[99]?.position ?? 0 };
    const ingest = around.append(Array.from({ length: 100 }, () => ({ type, subject: 'thing/live' })));
    await around.subscribe(name, receiver.url, { types: [type], from });
    await ingest;
    const later = await around.append(Array.from({ length: 50 }, () => ({ type, subject: 'thing/live' })));
    await receiver.waitFor(550, 20_000);
    await around.settledUpTo(later.at(-1)?.position ?? 0);
    expect(came()).toHaveLength(550);
    expect(came().filter((one) => one.startsWith('thing/live'))).toHaveLength(150);
    expect(new Set(receiver.requests.map((request) => request.headers['webhook-id'])).size).toBe(550);
  });

  it('begins a subscription with a snapshot, and goes on from there', async () => {
    const { name, type } = fresh();
    await around.append(Array.from({ length: 300 }, (_, n) => ({ type, subject: `${name}/${n % 5}` })));
    await around.subscribe(name, receiver.url, { types: [type], from: 'snapshot' });
    await around.append(Array.from({ length: 5 }, (_, n) => ({ type, subject: `${name}/${n}` })));
    await receiver.waitFor(10);
    expect(came().filter((one) => one.startsWith(`${name}/0`))).toEqual([`${name}/0@60`, `${name}/0@61`]);
    expect(new Set(came()).size).toBe(10);
  });

  it('replays what was sent before, filtered, at a rate, with the ids it had', async () => {
    const { name, type } = fresh();
    await around.subscribe(name, receiver.url, { types: [type] });
    const appended = await around.append(Array.from({ length: 40 }, (_, n) => ({ type, subject: `${name}/${n % 2}` })));
    await receiver.waitFor(40);
    await around.settledUpTo(appended.at(-1)?.position ?? 0);
    const first = new Map(
      receiver.requests.map((request) => [
        (request.json as { position: number }).position,
        request.headers['webhook-id'],
      ]),
    );
    receiver.clear();
    await around.registryEvent('io.tocsin.subscription.replay-requested', name, {
      replay: { from: { position: appended[9]?.position ?? 0 }, subject: `${name}/1`, perSecond: 20 },
    });
    const again = await receiver.waitFor(15);
    expect((again.at(-1)?.monotonicMs ?? 0) - (again[0]?.monotonicMs ?? 0)).toBeGreaterThan(600);
    await eventually(async () => (await around.database.query('SELECT FROM delivery.replay')).length === 0, {
      what: 'the replay is through',
    });
    expect(receiver.requests).toHaveLength(15);
    for (const request of receiver.requests) {
      const { position, subject } = request.json as { position: number; subject: string };
      expect(subject).toBe(`${name}/1`);
      expect(request.headers['webhook-id']).toBe(first.get(position));
    }
    expect(await stateOf(name, appended[11]?.position ?? 0)).toBe('delivered');
  });

  it('gives up what a removed subscription was owed, and tells its successor nothing of it', async () => {
    const { name, type } = fresh();
    receiver.respond({ status: 503 });
    await around.subscribe(name, receiver.url, { types: [type] });
    const owed = await around.append(Array.from({ length: 10 }, (_, n) => ({ type, subject: `thing/${n}` })));
    await receiver.waitFor(1);
    await around.unsubscribe(name);
    const other = await Receiver.start();
    await around.subscribe(name, other.url, { types: [type] });
    const [later] = await around.append([{ type, subject: 'thing/later' }]);
    await other.waitFor(1);
    await around.settledUpTo(later?.position ?? 0);
    expect(other.requests.map((request) => (request.json as { subject: string }).subject)).toEqual(['thing/later']);
    for (const { position } of owed) expect(await stateOf(name, position)).toBe('dead');
    await other.close();
  });

  it('accounts for every match: the log recomputed against the ledger', async () => {
    const { body } = await delivery.call('GET', '/v1/deliveries/verify');
    expect(body).toMatchObject({ ok: true, missing: [] });
    expect(body.accepted).toBe(body.delivered + body.pending + body.parked + body.superseded + body.dead);
    expect(body.accepted).toBeGreaterThan(300);
    // One row too few is noticed.
    await around.database.query(`DELETE FROM delivery.dead WHERE ctid = (SELECT min(ctid) FROM delivery.dead)`);
    const after = await delivery.call('GET', '/v1/deliveries/verify');
    expect(after.body).toMatchObject({ ok: false, missingCount: 1 });
  });
});
