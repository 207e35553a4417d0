import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { Client, credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod } from '@nestjs/microservices';
import { service as healthService } from 'grpc-health-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AppendResponse } from './gen/tocsin/v1/event_log.js';
import { GrpcEndpoint, serveGrpc } from './grpc-endpoint.js';
import { packageDefinition } from './package-definition.js';

const LOCAL = { host: '127.0.0.1', port: 0 };
const EVENT_LOG = 'tocsin.v1.EventLog';

type Call<R> = (request: object, done: (error: ServiceError | null, reply: R) => void) => void;
interface EventLogClient extends Client {
  append: Call<AppendResponse>;
}
interface HealthClient extends Client {
  check: Call<{ status: string }>;
}

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** An application with one slow method of one service, not started yet. */
async function application(options: { controllers: boolean }) {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<AppendResponse>();
  class Log {
    append(): Promise<AppendResponse> {
      asked.resolve();
      return answer.promise;
    }
  }
  GrpcMethod('EventLog', 'Append')(Log.prototype, 'append', Object.getOwnPropertyDescriptor(Log.prototype, 'append')!);
  Controller()(Log);
  class Root {}
  Module({ controllers: options.controllers ? [Log] : [] })(Root);
  const app = await NestFactory.create(Root, { logger: false });
  undo.push(() => app.close());
  const { address } = await serveGrpc(app, LOCAL);
  return {
    address,
    asked: asked.promise,
    answer: () => answer.resolve({ events: [] }),
    close: () => app.close(),
    start: async () => {
      await app.init();
      await app.startAllMicroservices();
    },
  };
}

function client(address: string): EventLogClient {
  const loaded = loadPackageDefinition(packageDefinition()) as unknown as {
    tocsin: { v1: { EventLog: new (address: string, secret: object) => EventLogClient } };
  };
  return opened(new loaded.tocsin.v1.EventLog(address, credentials.createInsecure()));
}

function health(address: string, service: string): Promise<{ status: string }> {
  const loaded = loadPackageDefinition({ Health: healthService }) as unknown as {
    Health: new (address: string, secret: object) => HealthClient;
  };
  const one = opened(new loaded.Health(address, credentials.createInsecure()));
  return new Promise((resolve, reject) =>
    one.check({ service }, (error, reply) => (error === null ? resolve(reply) : reject(error))),
  );
}

function opened<C extends Client>(one: C): C {
  undo.push(() => one.close());
  return one;
}

function append(one: EventLogClient): Promise<AppendResponse> {
  return new Promise((resolve, reject) =>
    one.append({ events: [] }, (error, reply) => (error === null ? resolve(reply) : reject(error))),
  );
}

async function connecting(address: string): Promise<void> {
  const [host = '', port] = address.split(':');
  const socket = connectSocket({ host, port: Number(port) });
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

describe('serveGrpc', () => {
  it('lets who comes before the start wait for it', async () => {
    const app = await application({ controllers: true });
    const early = append(client(app.address));
    // On the wire before the start: its preface and first frames are there when the session is made.
    const session = connect(`http://${app.address}`);
    undo.push(() => session.destroy());
    const greeted = once(session, 'remoteSettings');
    await once(session, 'connect');
    await app.start();
    app.answer();
    expect(await early).toEqual({ events: [] });
    expect(await greeted).toHaveLength(1);
  });

  it('serves what has a controller, and says so in health', async () => {
    const served = await application({ controllers: true });
    await served.start();
    expect(await health(served.address, EVENT_LOG)).toEqual({ status: 'SERVING' });
    const bare = await application({ controllers: false });
    await bare.start();
    expect(await health(bare.address, '')).toEqual({ status: 'SERVING' });
    await expect(health(bare.address, EVENT_LOG)).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(append(client(bare.address))).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });

  it('finishes calls under way when it closes, and takes no more', async () => {
    const app = await application({ controllers: true });
    await app.start();
    const call = append(client(app.address));
    await app.asked;
    const closing = app.close();
    await vi.waitFor(() => expect(connecting(app.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' }));
    app.answer();
    expect(await call).toEqual({ events: [] });
    await closing;
  });

  it('closes before it was started, too, and lets go of who waits', async () => {
    const app = await application({ controllers: true });
    const call = append(client(app.address));
    call.catch(() => undefined);
    await app.close();
    await expect(call).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });
});

describe('GrpcEndpoint.listen', () => {
  it('names a port that is taken', async () => {
    const first = await GrpcEndpoint.listen(LOCAL);
    undo.push(() => first.close());
    const port = Number(first.address.split(':').at(-1));
    await expect(GrpcEndpoint.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'TCN_PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
  });

  it('names an address that is not of this machine', async () => {
    await expect(GrpcEndpoint.listen({ host: '192.0.2.1', port: 0 })).rejects.toMatchObject({ code: 'TCN_CONFIG' });
  });
});
