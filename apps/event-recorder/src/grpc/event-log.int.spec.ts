import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { type ClientReadableStream, credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import {
  type AppendResponse,
  type Event,
  EVENT_LOG_SERVICE,
  GRPC_PACKAGE,
  packageDefinition,
  type ReadResponse,
  type TailResponse,
} from '@tocsin/grpc-contracts';
import { service as healthService } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_KEY, bodyOf, call, eventually, post, type Stage, startStage } from '../recorder.harness.js';

interface Client {
  append(request: object, metadata: Metadata, done: (error: Failure | null, reply: AppendResponse) => void): void;
  read(request: object, metadata: Metadata, done: (error: Failure | null, reply: ReadResponse) => void): void;
  tail(request: object, metadata: Metadata): ClientReadableStream<TailResponse>;
  close(): void;
}

interface HealthClient {
  check(request: object, done: (error: Failure | null, reply: object) => void): void;
  close(): void;
}

interface Failure extends Error {
  code: number;
  details: string;
}

let recorder: Stage;
let client: Client;

beforeAll(async () => {
  recorder = await startStage();
  const loaded = loadPackageDefinition(packageDefinition()) as unknown as {
    tocsin: { v1: { EventLog: new (address: string, secret: object) => Client } };
  };
  client = new loaded.tocsin.v1.EventLog(recorder.grpcAddress, credentials.createInsecure());
});

afterAll(async () => {
  client?.close();
  await recorder?.close();
});

function withKey(more: Record<string, string> = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries({ authorization: `Bearer ${API_KEY}`, ...more }))
    metadata.set(name, value);
  return metadata;
}

function append(events: object[], metadata = withKey()): Promise<AppendResponse> {
  return new Promise((resolve, reject) =>
    client.append({ events }, metadata, (error, reply) => (error === null ? resolve(reply) : reject(error))),
  );
}

function read(request: object): Promise<ReadResponse> {
  return new Promise((resolve, reject) =>
    client.read(request, withKey(), (error, reply) => (error === null ? resolve(reply) : reject(error))),
  );
}

const event = (more: Partial<Event> = {}) => ({ id: randomUUID(), source: 'urn:grpc', type: 'com.acme.grpc', ...more });

describe('tocsin.v1.EventLog', () => {
  it('Append answers after the commit what HTTP then shows', async () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const sent = event({ subject: 'svc/g', dataJson: '{"a":[1]}', extensions: { severity: { numberValue: 3 } } });
    const { events } = await append([sent], withKey({ traceparent: trace }));
    expect(events).toEqual([{ id: sent.id, position: expect.any(Number), sequence: 1, repeated: false }]);
    const shown = await bodyOf(await call(recorder.url, `/v1/events/${events[0]!.position}`));
    expect(shown).toMatchObject({ id: sent.id, subject: 'svc/g', data: { a: [1] }, severity: 3, traceparent: trace });
    expect((await append([sent])).events).toEqual([{ ...events[0], repeated: true }]);
  });

  it('refuses by the same rules as HTTP: code in the message, status from the catalogue', async () => {
    const cases: [object[], number, string][] = [
      [[event({ type: 'no good' })], status.INVALID_ARGUMENT, 'TCN_INVALID'],
      [[event({ source: 'tocsin/x' })], status.PERMISSION_DENIED, 'TCN_FORBIDDEN'],
      [[event({ position: 4 })], status.INVALID_ARGUMENT, 'TCN_INVALID'],
      [[], status.INVALID_ARGUMENT, 'TCN_INVALID'],
    ];
    for (const [events, code, name] of cases) {
      await expect(append(events)).rejects.toMatchObject({ code, details: expect.stringContaining(name) });
    }
    await expect(append([event()], new Metadata())).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  });

  it('Read pages as HTTP does', async () => {
    const { events } = await append(Array.from({ length: 5 }, () => event({ type: 'com.acme.page' })));
    const after = events[0]!.position - 1;
    const page = await read({ after, types: ['com.acme.page'], limit: 3 });
    expect(page.events.map(({ id }) => id)).toEqual(events.slice(0, 3).map(({ id }) => id));
    const rest = await read({ after: page.next, types: ['com.acme.page'] });
    expect(rest.events.map(({ id }) => id)).toEqual(events.slice(3).map(({ id }) => id));
    expect(rest.head).toBeGreaterThanOrEqual(events[4]!.position);
    const newest = await read({ types: ['com.acme.page'], limit: 3, backward: true });
    expect(newest.events.map(({ id }) => id)).toEqual(
      events
        .slice(2)
        .map(({ id }) => id)
        .toReversed(),
    );
    const { recordedTime } = newest.events[0]!;
    const early = await read({ types: ['com.acme.page'], before: newest.next, backward: true, until: recordedTime });
    expect(early.events.every(({ position }) => position < events[2]!.position)).toBe(true);
    expect((await read({ types: ['com.acme.page'], since: recordedTime })).events.at(-1)?.id).toBe(events[4]!.id);
    await expect(read({ after: 0, limit: 5000 })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('Tail gives what is there, then what comes, and ends when the caller goes', async () => {
    const { events } = await append([event({ type: 'com.acme.tail' })]);
    const stream = client.tail({ after: events[0]!.position - 1, types: ['com.acme.tail'] }, withKey());
    const seen: string[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (step: TailResponse) => {
      if (step.event) seen.push(step.event.id);
    });
    await eventually(() => seen.length === 1);
    const second = { specversion: '1.0', ...event({ type: 'com.acme.tail' }) };
    expect((await post(recorder.url, second)).status).toBe(201);
    await eventually(() => seen.length === 2);
    expect(seen).toEqual([events[0]!.id, second.id]);
    const ended = new Promise<void>((resolve) => stream.once('close', () => resolve()));
    stream.cancel();
    await ended;
  });

  it('Tail waits for a caller that does not read, and loses nothing', async () => {
    const count = 64;
    const first = await append([event({ type: 'com.acme.slow' })]);
    const stream = client.tail({ after: first.events[0]!.position, types: ['com.acme.slow'] }, withKey());
    stream.pause();
    stream.on('error', () => undefined);
    const sent: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const large = event({ type: 'com.acme.slow', dataJson: JSON.stringify('x'.repeat(200 * 1024)) });
      sent.push(large.id);
      await append([large]);
    }
    const seen: string[] = [];
    stream.on('data', (step: TailResponse) => {
      if (step.event) seen.push(step.event.id);
    });
    stream.resume();
    await eventually(() => seen.length === count);
    expect(seen).toEqual(sent);
    stream.cancel();
  });

  it('is described by reflection and reports its health; only calls need a key', async () => {
    const curl = async (path: string, ...more: string[]): Promise<string> => {
      const url = `http://${recorder.grpcAddress}${path}`;
      const args = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...more, url];
      return (await promisify(execFile)('buf', args)).stdout;
    };
    expect((await curl('', '--list-methods')).split('\n')).toEqual(
      expect.arrayContaining(['tocsin.v1.EventLog/Append', 'tocsin.v1.EventLog/Read', 'tocsin.v1.EventLog/Tail']),
    );
    const key = ['-H', `authorization: Bearer ${API_KEY}`];
    const page = JSON.parse(await curl('/tocsin.v1.EventLog/Read', ...key, '-d', '{"limit":1}')) as ReadResponse;
    expect(page.events).toHaveLength(1);
    const health = loadPackageDefinition({ Health: healthService }) as unknown as {
      Health: new (address: string, secret: object) => HealthClient;
    };
    const checker = new health.Health(recorder.grpcAddress, credentials.createInsecure());
    const service = `${GRPC_PACKAGE}.${EVENT_LOG_SERVICE}`;
    const reply = await new Promise((resolve, reject) =>
      checker.check({ service }, (error, answer) => (error === null ? resolve(answer) : reject(error))),
    );
    checker.close();
    expect(reply).toMatchObject({ status: 'SERVING' });
  });
});
