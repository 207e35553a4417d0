import {
  type Client,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation, TOPOLOGIES } from '../harness/installation.js';

const ROOT = resolve(import.meta.dirname, '../..');
const PROTOS = join(ROOT, 'libs/contracts/proto');
const BUF = join(ROOT, 'node_modules/.bin/buf');

interface SentEvent {
  id: string;
  source: string;
  type: string;
  subject: string;
  dataJson: string;
}

interface ShownEvent extends SentEvent {
  position: number;
  sequence: number;
}

interface Replies {
  append: { events: { id: string; position: number; sequence: number; repeated: boolean }[] };
  read: { events: ShownEvent[]; next: number; head: number };
}

type Call<R> = (request: object, metadata: Metadata, done: (error: Error | null, reply: R) => void) => void;

interface EventLog extends Client {
  append: Call<Replies['append']>;
  read: Call<Replies['read']>;
  tail(request: object, metadata: Metadata): ClientReadableStream<{ event: ShownEvent | null; position: number }>;
}

/** A client as anybody makes it of the published proto files. */
function eventLog(address: string): EventLog {
  const file = loadSync('tocsin/v1/event_log.proto', { includeDirs: [PROTOS], longs: Number, defaults: true });
  const { tocsin } = loadPackageDefinition(file) as unknown as {
    tocsin: { v1: { EventLog: new (address: string, secret: object) => EventLog } };
  };
  return new tocsin.v1.EventLog(address, credentials.createInsecure());
}

const event = (name: string): SentEvent => ({
  id: `grpc-${name}`,
  source: 'urn:e2e:grpc',
  type: 'com.acme.deployed',
  subject: 'service/shop',
  dataJson: JSON.stringify({ name }),
});

describe.each(TOPOLOGIES)('gRPC, %s', (topology) => {
  let tocsin: Installation;
  let client: EventLog;

  beforeAll(async () => {
    tocsin = await Installation.create(topology);
    await tocsin.start();
    client = eventLog(tocsin.grpcAddress);
  });

  afterAll(async () => {
    client?.close();
    await tocsin.stop();
    await tocsin.destroy();
  });

  function withKey(key = tocsin.apiKey): Metadata {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${key}`);
    return metadata;
  }

  function ask<M extends keyof Replies>(method: M, request: object, metadata = withKey()): Promise<Replies[M]> {
    return new Promise((done, fail) => {
      const call = client[method].bind(client) as Call<Replies[M]>;
      call(request, metadata, (error, reply) => (error === null ? done(reply) : fail(error)));
    });
  }

  it('Append records what HTTP then shows, Read reads it, and a repeat is answered as the first time', async () => {
    const sent = [event('a'), event('b')];
    const { events } = await ask('append', { events: sent });
    expect(events.map(({ id, repeated }) => [id, repeated])).toEqual(sent.map(({ id }) => [id, false]));
    const [first, second] = events;
    expect(second!.position).toBe(first!.position + 1);
    const shown = await tocsin.call('GET', `/v1/events/${second!.position}`);
    expect(shown.body).toMatchObject({ id: 'grpc-b', subject: 'service/shop', data: { name: 'b' } });
    const page = await ask('read', { after: first!.position - 1, subject: 'service/shop' });
    expect(page.events).toMatchObject(sent.map((one, index) => ({ ...one, ...{ position: events[index]!.position } })));
    expect((await ask('append', { events: sent })).events).toEqual(events.map((one) => ({ ...one, repeated: true })));
  });

  it('Tail brings what is there, then what comes, and ends with its caller', async () => {
    const { events } = await ask('append', { events: [event('there')] });
    const stream = client.tail({ after: events[0]!.position - 1, subject: 'service/shop' }, withKey());
    const ended = new Promise<{ code: number }>((done) => stream.once('error', (error) => done(error as never)));
    const names: string[] = [];
    for await (const step of stream.iterator({ destroyOnReturn: false })) {
      if (step.event === null) continue;
      expect(step.position).toBe(step.event.position);
      names.push(JSON.parse(step.event.dataJson).name);
      if (names.length === 2) break;
      await ask('append', { events: [event('comes')] });
    }
    expect(names).toEqual(['there', 'comes']);
    stream.cancel();
    expect((await ended).code).toBe(status.CANCELLED);
  });

  it('takes nothing without a key, or with a wrong one', async () => {
    const refused = { code: status.UNAUTHENTICATED, details: expect.stringMatching(/^TCN_UNAUTHENTICATED: /) };
    for (const metadata of [new Metadata(), withKey('x'.repeat(40))]) {
      await expect(ask('append', { events: [event('refused')] }, metadata)).rejects.toMatchObject(refused);
      await expect(ask('read', {}, metadata)).rejects.toMatchObject(refused);
      const tail = client.tail({}, metadata);
      await expect(tail.toArray()).rejects.toMatchObject(refused);
    }
    expect((await ask('read', { types: ['com.acme.*'] })).events.map(({ id }) => id)).not.toContain('grpc-refused');
  });

  it('is described by reflection: buf curl needs no proto file', async () => {
    const curl = async (path: string, ...more: string[]): Promise<string> => {
      const args = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...more];
      return (await promisify(execFile)(BUF, [...args, `http://${tocsin.grpcAddress}${path}`])).stdout;
    };
    expect((await curl('', '--list-methods')).split('\n')).toEqual(
      expect.arrayContaining(['Append', 'Read', 'Tail'].map((method) => `tocsin.v1.EventLog/${method}`)),
    );
    const key = ['-H', `authorization: Bearer ${tocsin.apiKey}`];
    const answer = await curl('/tocsin.v1.EventLog/Read', ...key, '-d', '{"types":["com.acme.*"],"limit":1}');
    expect(JSON.parse(answer).events).toMatchObject([{ id: 'grpc-a', source: 'urn:e2e:grpc' }]);
  });
});
