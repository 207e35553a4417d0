import { randomUUID } from 'node:crypto';
import { readReplySchema, RPC } from '@tocsin/contracts';
import { latestReader } from '@tocsin/jetstream';
import { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, bodyOf, call, post, type Stage, startRecorder, startStage } from '../recorder.harness.js';

let recorder: Stage;
let url: string;

beforeAll(async () => {
  recorder = await startStage();
  url = recorder.url;
});

afterAll(async () => {
  await recorder?.close();
});

interface Recorded {
  id: string;
  position: number;
}

async function record(count: number, more: object = {}): Promise<Recorded[]> {
  const events = Array.from({ length: count }, () => ({
    specversion: '1.0',
    id: randomUUID(),
    source: 'urn:read',
    type: 'com.acme.read',
    ...more,
  }));
  const response = await post(url, events);
  expect(response.status).toBe(201);
  return (await bodyOf(response)).events;
}

async function get(path: string): Promise<{ status: number; body: Answer }> {
  const response = await call(url, path);
  return { status: response.status, body: await bodyOf(response) };
}

interface Sse {
  id?: string;
  event?: string;
  data?: string;
}

/** Reads a stream as a browser would. */
async function* stream(path: string, signal: AbortSignal, headers: Record<string, string> = {}): AsyncGenerator<Sse> {
  const response = await call(url, path, { headers, signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const fields = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      yield Object.fromEntries(
        fields.map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
      );
    }
  }
}

async function take(from: AsyncGenerator<Sse>, count: number): Promise<Sse[]> {
  const seen: Sse[] = [];
  while (seen.length < count) {
    const { value, done } = await from.next();
    if (done === true) break;
    seen.push(value);
  }
  return seen;
}

describe('GET /v1/events', () => {
  it('pages through the log; next leads on and is the place to poll from at the head', async () => {
    const sent = await record(250);
    const seen: Recorded[] = [];
    let after = sent[0]!.position - 1;
    for (;;) {
      const { body } = await get(`/v1/events?after=${after}`);
      expect(body.events.length).toBeLessThanOrEqual(100);
      if (body.events.length === 0) break;
      seen.push(...body.events);
      after = body.next;
    }
    expect(seen.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
    const [late] = await record(1);
    expect((await get(`/v1/events?after=${after}`)).body.events[0]!.id).toBe(late!.id);
  });

  it('filters by types with wildcards and by subject', async () => {
    const [first] = await record(1, { type: 'com.acme.filter.a', subject: 'svc/f' });
    await record(1, { type: 'com.acme.other' });
    const [third] = await record(1, { type: 'org.filter.b', subject: 'svc/f' });
    const after = first!.position - 1;
    const ids = async (query: string): Promise<string[]> =>
      (await get(`/v1/events?after=${after}&${query}`)).body.events.map(({ id }) => id);
    expect(await ids('type=com.acme.filter.*,org.*')).toEqual([first!.id, third!.id]);
    expect(await ids('type=com.acme.filter.*&type=org.filter.b')).toEqual([first!.id, third!.id]);
    expect(await ids('subject=svc/f&type=org.*')).toEqual([third!.id]);
    expect(await ids('type=org.nothing')).toEqual([]);
  });

  it('reads newest first, between positions and between times', async () => {
    const sent = await record(7, { subject: 'svc/backward' });
    const page = async (query: string): Promise<[number[], number]> => {
      const { body } = await get(`/v1/events?subject=svc/backward&${query}`);
      return [body.events.map(({ position }) => position), body.next];
    };
    const positions = sent.map(({ position }) => position).toReversed();
    const [newest, next] = await page('order=desc&limit=3');
    expect(newest).toEqual(positions.slice(0, 3));
    const [older, end] = await page(`order=desc&limit=10&before=${next}`);
    expect(older).toEqual(positions.slice(3));
    expect(await page(`order=desc&before=${end}`)).toEqual([[], 1]);
    expect((await page(`after=${positions[6]}&before=${positions[4]}`))[0]).toEqual([positions[5]]);

    const at = (await get(`/v1/events/${positions[0]}`)).body as unknown as { recordedtime: string };
    const later = new Date(Date.parse(at.recordedtime) + 1).toISOString();
    expect((await page(`since=${at.recordedtime}&until=${later}`))[0]).toContain(positions[0]);
    expect((await page(`since=${later}`))[0]).toEqual([]);
    const inItsZone = encodeURIComponent(at.recordedtime.replace('Z', '+00:00'));
    expect((await page(`order=desc&limit=1&since=${inItsZone}`))[0]).toEqual([positions[0]]);
  });

  it('gives one event by position and by id', async () => {
    const [one] = await record(1, { data: { deep: [null] } });
    const byPosition = await get(`/v1/events/${one!.position}`);
    expect(byPosition.body).toMatchObject({ id: one!.id, position: one!.position, data: { deep: [null] } });
    expect((await get(`/v1/events/${one!.id}`)).body).toEqual(byPosition.body);
    expect(await get('/v1/events/999999999')).toMatchObject({ status: 404, body: { code: 'TCN_NOT_FOUND' } });
    expect((await get('/v1/events/nobody')).status).toBe(404);
  });

  it.each([
    ['after=-1', '/after'],
    ['after=x', '/after'],
    ['limit=0', '/limit'],
    ['limit=1001', '/limit'],
    ['type=a..b', '/type/0'],
    ['order=newest', '/order'],
    ['since=yesterday', '/since'],
    ['before=x', '/before'],
    ['nonsense=1', '/nonsense'],
  ])('refuses ?%s', async (query, pointer) => {
    const { status, body } = await get(`/v1/events?${query}`);
    expect([status, body.code, body.errors[0]!.pointer]).toEqual([422, 'TCN_INVALID', pointer]);
  });
});

describe('reads over NATS', () => {
  it('answers pages that one message can carry, and nothing is lost between them', async () => {
    const start = (await record(1))[0]!.position;
    const sent: Recorded[] = [];
    for (let batch = 0; batch < 4; batch += 1) sent.push(...(await record(4, { data: 'x'.repeat(200 * 1024) })));
    const seen: string[] = [];
    let pages = 0;
    for (let after = start; seen.length < sent.length; pages += 1) {
      const page = await recorder.broker.request(
        RPC.logRead,
        { after, limit: 1000 },
        { schema: readReplySchema, timeoutMs: 10_000 },
      );
      expect(page.events.length).toBeGreaterThan(0);
      seen.push(...page.events.map((event) => String(event['id'])));
      after = page.next;
    }
    expect(seen).toEqual(sent.map(({ id }) => id));
    expect(pages).toBeGreaterThan(3);
  });

  it('answers the newest event of subjects and their versions', async () => {
    await record(3, { subject: 'latest/a' });
    const [newest] = await record(1, { subject: 'latest/a' });
    const answer = await recorder.broker.request(RPC.logLatest, { subjects: ['latest/a', 'latest/none'] });
    expect(answer).toMatchObject({ events: [{ id: newest!.id }], versions: { 'latest/a': 4, 'latest/none': 0 } });
  });

  it('answers 5,000 subjects with large events as far as a message holds, and the rest when asked again', async () => {
    const subjects = Array.from({ length: 5_000 }, (_, index) => `latest/many-${index}`);
    const ids: string[] = [];
    const text = 'x'.repeat(20 * 1024);
    for (let start = 0; start < subjects.length; start += 40) {
      const events = subjects.slice(start, start + 40).map((subject) => ({
        ...{
          specversion: '1.0',
          id: randomUUID(),
          source: 'urn:read',
          type: 'com.acme.large',
          subject,
          data: { text },
        },
      }));
      expect((await post(url, events)).status).toBe(201);
      ids.push(...events.map(({ id }) => id));
    }
    const first = await recorder.broker.request<{ answered: number; versions: object }>(RPC.logLatest, { subjects });
    expect(first.answered).toBeGreaterThan(20);
    expect(Object.keys(first.versions)).toEqual(subjects.slice(0, first.answered));
    const { events, versions } = await latestReader(recorder.broker)({ subjects });
    expect(events.map(({ id }) => id)).toEqual(ids);
    expect(Object.values(versions)).toEqual(subjects.map(() => 1));
  }, 300_000);
});

describe('GET /v1/events/stream', () => {
  it('gives what is there and then what comes; id is the position, event the type', async () => {
    const stop = new AbortController();
    const sent = await record(3);
    const from = stream(`/v1/events/stream?after=${sent[0]!.position - 1}`, stop.signal);
    const seen = await take(from, 3);
    expect(seen.map(({ id }) => Number(id))).toEqual(sent.map(({ position }) => position));
    const next = take(from, 1);
    const [late] = await record(1);
    const [event] = await next;
    expect(event).toMatchObject({ id: String(late!.position), event: 'com.acme.read' });
    expect(JSON.parse(event!.data!)).toMatchObject({ specversion: '1.0', id: late!.id, position: late!.position });
    stop.abort();
  });

  it('starts at the head without a position', async () => {
    const stop = new AbortController();
    await record(2);
    const from = stream('/v1/events/stream', stop.signal);
    const next = take(from, 1);
    // The stream is open when its headers have come; an event after that must arrive.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const [late] = await record(1);
    expect((await next)[0]!.id).toBe(String(late!.position));
    stop.abort();
  });

  it('resumes after Last-Event-ID, which wins over after, without a gap or a repetition', async () => {
    const sent = await record(50, { type: 'com.acme.resume' });
    const path = `/v1/events/stream?after=${sent[0]!.position - 1}&type=com.acme.resume`;
    const seen: number[] = [];
    while (seen.length < sent.length) {
      const stop = new AbortController();
      const headers: Record<string, string> = seen.length === 0 ? {} : { 'last-event-id': String(seen.at(-1)) };
      seen.push(...(await take(stream(path, stop.signal, headers), 7)).map(({ id }) => Number(id)));
      stop.abort();
      if (seen.length >= 49) break;
    }
    expect(seen).toEqual(sent.slice(0, 49).map(({ position }) => position));
  });

  it('a reader that does not read holds nothing up and gets everything once it reads', async () => {
    const stop = new AbortController();
    const start = (await record(1))[0]!.position;
    const response = await call(url, `/v1/events/stream?after=${start}&type=com.acme.slow`, { signal: stop.signal });
    const sent: Recorded[] = [];
    for (let batch = 0; batch < 40; batch += 1) {
      sent.push(...(await record(4, { type: 'com.acme.slow', data: 'x'.repeat(200 * 1024) })));
    }
    const seen: number[] = [];
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (const match of text.matchAll(/^id: (\d+)\n/gm)) seen.push(Number(match[1]));
      text = text.slice(text.lastIndexOf('\n\n') + 1);
      if (new Set(seen).size >= sent.length) break;
    }
    expect([...new Set(seen)]).toEqual(sent.map(({ position }) => position));
    stop.abort();
  });

  it('has Postgres tell of commits only while somebody follows', async () => {
    const database = await Database.open({
      schema: 'spec',
      migrations: [],
      url: recorder.servers.postgres.url,
      applicationName: 'spec',
    });
    const listening = (): Promise<unknown[]> =>
      database.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'tocsin event-recorder listen'`);
    await expect.poll(listening).toEqual([]);
    const stop = new AbortController();
    const next = take(stream('/v1/events/stream', stop.signal), 1);
    await expect.poll(listening).toHaveLength(1);
    await record(1);
    await next;
    stop.abort();
    await expect.poll(listening).toEqual([]);
    await database.close();
  });

  it('refuses what it does not understand before it streams', async () => {
    expect((await get('/v1/events/stream?limit=5')).status).toBe(422);
    const response = await call(url, '/v1/events/stream', { headers: { 'last-event-id': 'abc' } });
    expect(response.status).toBe(422);
  });

  it('ends in good order when the process stops', async () => {
    const other = await startRecorder(recorder.servers);
    const response = await call(other.url, '/v1/events/stream');
    const rest = response.text();
    const startedMs = performance.now();
    await other.close();
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    expect(await rest).toBe('');
  });
});
