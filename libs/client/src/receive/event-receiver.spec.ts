import { createHmac, randomBytes } from 'node:crypto';
import { toCloudEvent, type RecordedEvent } from '@tocsin/domain';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { EventReceiver, type Received } from './event-receiver.js';
import { MemoryInbox } from './inbox.js';
import { DeliveryRefused } from './refusal.js';

const NOW = Date.UTC(2030, 0, 1);
const clock = { now: () => NOW };
const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const secret = newSecret();

function event(position: number, more: Partial<RecordedEvent> = {}): RecordedEvent {
  const at = new Date(NOW).toISOString();
  const known = {
    id: `evt_${position}`,
    source: 'tocsin/health-probe',
    type: 'io.tocsin.node.offline',
    subject: 'node/a',
  };
  return {
    ...known,
    time: at,
    recordedAt: at,
    position,
    version: position,
    extensions: {},
    data: { to: 'down' },
    ...more,
  };
}

/** As Tocsin signs. */
function delivery(
  told: RecordedEvent | Buffer,
  { id = 'evt_1', by = [secret], atMs = NOW }: { id?: string; by?: string[]; atMs?: number } = {},
) {
  const body = Buffer.isBuffer(told) ? told : Buffer.from(JSON.stringify(toCloudEvent(told)));
  const seconds = Math.floor(atMs / 1_000);
  const signatures = by.map((one) => {
    const key = Buffer.from(one.slice('whsec_'.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`;
  });
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signatures.join(' ') };
  return { headers, body };
}

function receiving(options: Partial<ConstructorParameters<typeof EventReceiver<string, undefined>>[0]> = {}) {
  const handled: number[] = [];
  const receiver = new EventReceiver<string, undefined>({
    secrets: [secret],
    inbox: new MemoryInbox(),
    clock,
    onEvent: async ({ position }) => void handled.push(position),
    ...options,
  });
  return { receiver, handled };
}

async function refusal(received: Promise<Received>): Promise<string> {
  const error: unknown = await received.then(
    (how) => how,
    (refused: unknown) => refused,
  );
  return error instanceof DeliveryRefused ? `${error.status} ${error.reason}` : String(error);
}

describe('EventReceiver', () => {
  it('handles each event once, however often it comes and whenever it is signed', async () => {
    const { receiver, handled } = receiving();
    expect(await receiver.receive(delivery(event(1)))).toBe('handled');
    expect(await receiver.receive(delivery(event(1)))).toBe('repeated');
    expect(await receiver.receive(delivery(event(1), { atMs: NOW + 60_000 }))).toBe('repeated');
    expect(handled).toEqual([1]);
  });

  it('takes what is signed with any secret of a rotation, by either side of it', async () => {
    const [old, young] = [newSecret(), newSecret()];
    const both = receiving({ secrets: [young, old] });
    expect(await both.receiver.receive(delivery(event(1), { by: [old] }))).toBe('handled');
    const onlyOld = receiving({ secrets: [old] });
    expect(await onlyOld.receiver.receive(delivery(event(1), { by: [young, old] }))).toBe('handled');
    let now = [old];
    const turning = receiving({ secrets: () => now });
    expect(await refusal(turning.receiver.receive(delivery(event(1), { by: [young] })))).toBe('401 signature-wrong');
    now = [young];
    expect(await turning.receiver.receive(delivery(event(1), { by: [young] }))).toBe('handled');
  });

  it('refuses what was changed on the way, in any signed part', async () => {
    const { receiver, handled } = receiving();
    const { headers, body } = delivery(event(1));
    const changed = Buffer.from(body);
    changed.write('up', changed.indexOf('down'));
    const spaced = Buffer.concat([body, Buffer.from(' ')]);
    for (const request of [
      { headers, body: changed },
      { headers, body: spaced },
      { headers: { ...headers, 'webhook-id': 'evt_2' }, body },
      { headers: { ...headers, 'webhook-timestamp': String(NOW / 1_000 + 1) }, body },
      { headers: { ...headers, 'webhook-signature': headers['webhook-signature'].replace('v1,', 'v2,') }, body },
      { headers: { ...headers, 'webhook-signature': 'v1,' }, body },
      delivery(event(1), { by: [newSecret()] }),
    ]) {
      expect(await refusal(receiver.receive(request))).toBe('401 signature-wrong');
    }
    expect(handled).toEqual([]);
  });

  it('refuses what was signed long ago or in the future, however well', async () => {
    const { receiver } = receiving();
    const at = (seconds: number) => receiver.receive(delivery(event(1), { atMs: NOW + seconds * 1_000 }));
    expect(await refusal(at(-301))).toBe('401 timestamp-outside');
    expect(await refusal(at(301))).toBe('401 timestamp-outside');
    expect(await at(-299)).toBe('handled');
    const strict = receiving({ toleranceMs: 10_000 });
    const late = strict.receiver.receive(delivery(event(1), { atMs: NOW - 11_000 }));
    await expect(late).rejects.toThrow('signed 11 s ago; 10 s are allowed');
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('says that %s is missing', async (name) => {
    const { receiver } = receiving();
    const { headers, body } = delivery(event(1));
    for (const value of [undefined, '', ['a', 'b']]) {
      expect(await refusal(receiver.receive({ headers: { ...headers, [name]: value }, body }))).toBe(
        '400 header-missing',
      );
    }
    await expect(receiver.receive({ headers: {}, body })).rejects.toThrow('"webhook-id" is missing');
  });

  it('refuses a body that is too large or is no event of Tocsin', async () => {
    const { receiver } = receiving({ maxBytes: 2_000 });
    expect(await refusal(receiver.receive(delivery(Buffer.alloc(2_001))))).toBe('413 too-large');
    for (const body of ['', '{"text":"down"}', '[]', '{"specversion":"1.0"', '\ufffd']) {
      expect(await refusal(receiver.receive(delivery(Buffer.from(body))))).toBe('422 no-event');
    }
    expect(await refusal(receiver.receive(delivery(Buffer.from([0xff, 0x7b]))))).toBe('422 no-event');
  });

  it('remembers nothing of an event whose handler fails, so that the next attempt is handled', async () => {
    let broken = true;
    const { receiver } = receiving({
      newestOnly: true,
      onEvent: async () => {
        if (broken) throw new Error('the database is away');
      },
    });
    await expect(receiver.receive(delivery(event(1)))).rejects.toThrow('the database is away');
    broken = false;
    expect(await receiver.receive(delivery(event(1)))).toBe('handled');
  });

  it('handles two attempts of one event that come at once only once', async () => {
    const { receiver, handled } = receiving();
    const both = await Promise.all([receiver.receive(delivery(event(1))), receiver.receive(delivery(event(1)))]);
    expect(both.toSorted()).toEqual(['handled', 'repeated']);
    expect(handled).toEqual([1]);
  });

  it('passes over what comes after a newer event of its subject, where only the newest counts', async () => {
    const { receiver, handled } = receiving({ newestOnly: true });
    const told = (position: number, subject: string) =>
      receiver.receive(delivery(event(position, { subject }), { id: `evt_${position}` }));
    expect(await told(5, 'node/a')).toBe('handled');
    expect(await told(3, 'node/a')).toBe('outdated');
    expect(await told(4, 'node/b')).toBe('handled');
    expect(await told(6, 'node/a')).toBe('handled');
    expect(handled).toEqual([5, 4, 6]);
  });

  it('passes over types that are not wanted, and knows the payload of those that are', async () => {
    const reasons: string[] = [];
    const receiver = new EventReceiver({
      secrets: [secret],
      inbox: new MemoryInbox(),
      clock,
      types: ['io.tocsin.node.offline', 'io.tocsin.node.online'],
      onEvent: async ({ data }) => {
        expectTypeOf(data.reason).toBeString();
        reasons.push(data.reason);
      },
    });
    expect(await receiver.receive(delivery(event(1, { type: 'io.tocsin.node.degraded' })))).toBe('passed-over');
    expect(await receiver.receive(delivery(event(2, { data: { reason: 'refused' } })))).toBe('handled');
    expect(reasons).toEqual(['refused']);
  });

  it('does not start without a usable secret, and does not say it', () => {
    expect(() => receiving({ secrets: [] })).toThrow(expect.objectContaining({ code: 'TCN_CONFIG' }));
    expect(() => receiving({ secrets: ['whsec_not base64!'] })).toThrow(/^a signing secret is "whsec_" and base64/);
    expect(() => receiving({ secrets: ['whsec_not base64!'] })).not.toThrow(/not base64!/);
  });
});

describe('MemoryInbox', () => {
  it('forgets the oldest beyond its limit', async () => {
    const inbox = new MemoryInbox(2);
    for (const id of ['a', 'b', 'c']) expect(await inbox.transaction((none) => inbox.remember(none, id))).toBe(true);
    expect(await inbox.transaction((none) => inbox.remember(none, 'b'))).toBe(false);
    expect(await inbox.transaction((none) => inbox.remember(none, 'a'))).toBe(true);
  });
});
