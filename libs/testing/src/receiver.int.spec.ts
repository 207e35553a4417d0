import { connect } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { Receiver, type ReceiverOptions } from './receiver.js';

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const OLD_SECRET = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;

let receiver: Receiver;

afterEach(() => receiver.close());

async function start(options: ReceiverOptions = {}): Promise<Receiver> {
  receiver = await Receiver.start(options);
  return receiver;
}

const post = (body = '{}', headers: Record<string, string> = {}, timeoutMs = 5000) =>
  fetch(receiver.url, { method: 'POST', body, headers, signal: AbortSignal.timeout(timeoutMs) });

/** The code of what broke the connection, or the error's name. */
const nameOf = (error: unknown) => {
  const { name, cause } = error as { name: string; cause?: { code?: string } };
  return cause?.code ?? name;
};

const failure = (sending: Promise<Response>) =>
  sending.then(async (response) => `status ${response.status}, ${await response.text().catch(nameOf)}`, nameOf);

function signed(body: string, secret: string, id = 'evt_1'): Record<string, string> {
  const now = new Date();
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, now, body),
  };
}

describe('what a Receiver remembers', () => {
  it('is every request, byte for byte', async () => {
    await start();
    const before = Date.now();
    await post('{"a":"é"}', { 'x-one': '1' });
    await post('no json');
    const [first, second] = await receiver.waitFor(2);
    expect(first).toMatchObject({ method: 'POST', path: '/hook', json: { a: 'é' }, verified: undefined });
    expect(first!.rawBody).toEqual(Buffer.from('{"a":"é"}'));
    expect(first!.headers['x-one']).toBe('1');
    expect(first!.at).toBeGreaterThanOrEqual(before);
    expect(second!.monotonicMs).toBeGreaterThan(first!.monotonicMs);
    expect(second!.json).toBeUndefined();
    receiver.clear();
    expect(receiver.requests).toEqual([]);
  });

  it('says whether a signature is right, with any of the secrets', async () => {
    await start({ secrets: [SECRET, OLD_SECRET] });
    const body = '{"n":1}';
    await post(body, signed(body, SECRET));
    await post(body, signed(body, OLD_SECRET));
    await post(`${body} `, signed(body, SECRET));
    await post(body, signed(body, `whsec_${Buffer.alloc(32, 3).toString('base64')}`));
    await post(body);
    await post('no json', signed('no json', SECRET));
    expect(receiver.requests.map((request) => request.verified)).toEqual([true, true, false, false, false, true]);
  });

  it('tells how many requests there were at once', async () => {
    await start({ answer: { delayMs: 100 } });
    await Promise.all([post(), post(), post()]);
    expect([receiver.maxInFlight, receiver.inFlight]).toEqual([3, 0]);
  });
});

describe('waiting for requests', () => {
  it('gives the request that fits, also one that is there already', async () => {
    await start();
    await post('{"n":1}');
    const later = receiver.waitFor((request) => (request.json as { n: number }).n === 2);
    await post('{"n":2}');
    expect((await later).json).toEqual({ n: 2 });
    expect((await receiver.waitFor((request) => request.path === '/hook')).json).toEqual({ n: 1 });
  });

  it('fails when they do not come, and says how many did', async () => {
    await start();
    await post();
    await expect(receiver.waitFor(2, 50)).rejects.toThrow(
      'the receiver did not get 2 requests within 50 ms, but 1 in all',
    );
  });
});

describe('what a Receiver answers', () => {
  it('is 200, or what it was told, or what a function decides', async () => {
    await start();
    expect((await post()).status).toBe(200);
    receiver.respond({ status: 503, headers: { 'retry-after': '7' }, body: 'busy' });
    const busy = await post();
    expect([busy.status, busy.headers.get('retry-after'), await busy.text()]).toEqual([503, '7', 'busy']);
    receiver.respond((request) => ({ status: (request.json as { want: number }).want }));
    expect((await post('{"want":418}')).status).toBe(418);
  });

  it('holds once for each answer given in advance', async () => {
    await start();
    receiver.respondOnce({ status: 500 }, { status: 429 });
    expect([await post(), await post(), await post()].map((response) => response.status)).toEqual([500, 429, 200]);
  });

  it('may come late', async () => {
    await start({ answer: { delayMs: 150 } });
    const begin = performance.now();
    await post();
    expect(performance.now() - begin).toBeGreaterThanOrEqual(140);
  });

  it('may never come: neither head nor body', async () => {
    await start({ answer: { hang: 'before-head' } });
    expect(await failure(post('{}', {}, 200))).toBe('TimeoutError');
    receiver.respond({ hang: 'after-head' });
    expect(await failure(post('{}', {}, 200))).toBe('status 200, TimeoutError');
    expect(receiver.requests).toHaveLength(2);
  });

  it('may drip, so that no idle timer ever fires', async () => {
    await start({ answer: { drip: { everyMs: 20, times: 4 }, body: 'end' } });
    expect(await (await post()).text()).toBe('    end');
    receiver.respond({ drip: { everyMs: 20 } });
    expect(await failure(post('{}', {}, 300))).toBe('status 200, TimeoutError');
  });

  it('may be a reset, before or after the head', async () => {
    await start({ answer: { reset: 'before-head' } });
    expect(await failure(post())).toBe('ECONNRESET');
    receiver.respond({ reset: 'after-head' });
    expect(await failure(post())).toMatch(/^status 200, /);
  });

  it('ends with the receiver, also where it hangs', async () => {
    await start({ answer: { hang: 'before-head' } });
    const hanging = failure(post());
    await receiver.waitFor(1);
    await receiver.close();
    expect(await hanging).toBe('UND_ERR_SOCKET');
  });

  it('survives a client that goes away in the middle of its request', async () => {
    await start();
    const client = connect(receiver.port, '127.0.0.1');
    client.write('POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf');
    await new Promise((sent) => setTimeout(sent, 50));
    client.resetAndDestroy();
    expect((await post()).status).toBe(200);
    expect(receiver.requests).toHaveLength(1);
  });
});
