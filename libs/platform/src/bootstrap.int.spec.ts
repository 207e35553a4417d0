import { request as httpRequest } from 'node:http';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import {
  Controller,
  Get,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import { afterEach, describe, expect, it } from 'vitest';
import { call, start, stop } from './things-service.fixture.js';
import { Public } from './index.js';

afterEach(stop);

describe('start and end', () => {
  it('names host and port if the port is taken, before any module has started', async () => {
    let started = false;
    @Injectable()
    class Starter implements OnApplicationBootstrap {
      onApplicationBootstrap() {
        started = true;
      }
    }
    @Module({ providers: [Starter] })
    class StarterModule {}
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as { port: number };
    try {
      await expect(start({ port, extraModules: [StarterModule] })).rejects.toMatchObject({
        code: 'TCN_PORT_IN_USE',
        message: expect.stringContaining(`127.0.0.1:${port}`) as unknown,
      });
      expect(started).toBe(false);
    } finally {
      await new Promise((resolve) => squatter.close(resolve));
    }
  });

  it('is alive but takes no calls while modules start', async () => {
    const release = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    @Injectable()
    class Slow implements OnApplicationBootstrap {
      async onApplicationBootstrap() {
        entered.resolve();
        await release.promise;
      }
    }
    @Module({ providers: [Slow] })
    class SlowModule {}
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as { port: number };
    await new Promise((resolve) => squatter.close(resolve));
    const starting = start({ port, extraModules: [SlowModule] });
    await entered.promise;
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    const early = await fetch(`http://127.0.0.1:${port}/v1/public`);
    expect(early.status).toBe(503);
    expect(await early.json()).toMatchObject({ code: 'TCN_UNAVAILABLE' });
    release.resolve();
    await starting;
    expect((await call('/v1/public')).status).toBe(200);
  });

  it('frees the port when a module cannot start', async () => {
    @Injectable()
    class Broken implements OnApplicationBootstrap {
      onApplicationBootstrap() {
        throw new TocsinError('TCN_POSTGRES_UNSUITABLE', 'server 14');
      }
    }
    @Module({ providers: [Broken] })
    class BrokenModule {}
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as { port: number };
    await new Promise((resolve) => squatter.close(resolve));
    await expect(start({ port, extraModules: [BrokenModule] })).rejects.toMatchObject({
      code: 'TCN_POSTGRES_UNSUITABLE',
    });
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow('fetch failed');
  });

  it('does not wait for a connection on which nothing was ever sent', async () => {
    const app = await start();
    const socket = connect(app.port, '127.0.0.1');
    await once(socket, 'connect');
    await call('/healthz');
    const startedMs = performance.now();
    await app.close();
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    socket.destroy();
  });

  it('breaks a request that does not end in time', async () => {
    const entered = Promise.withResolvers<void>();
    @Controller('endless')
    class EndlessController {
      @Get()
      @Public()
      endless() {
        entered.resolve();
        return new Promise(() => undefined);
      }
    }
    @Module({ controllers: [EndlessController] })
    class EndlessModule {}
    const app = await start({ extraModules: [EndlessModule] });
    const outcome = call('/endless').catch((error: unknown) => error);
    await entered.promise;
    await app.close();
    expect(await outcome).toMatchObject({ message: 'fetch failed' });
  });

  it('ends event streams and idle connections at once, and stops the modules after the last request', async () => {
    const order: string[] = [];
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    @Controller('slow')
    class SlowController {
      @Get()
      @Public()
      async slow() {
        entered.resolve();
        await release.promise;
        order.push('request done');
        return { done: true };
      }
    }
    @Injectable()
    class Worker implements OnApplicationShutdown {
      onApplicationShutdown() {
        order.push('module stopped');
      }
    }
    @Module({ controllers: [SlowController], providers: [Worker] })
    class SlowModule {}
    const app = await start({ extraModules: [SlowModule] });
    await call('/v1/public');
    const streamEnded = Promise.withResolvers<void>();
    const streamOpen = Promise.withResolvers<void>();
    httpRequest(`${app.url}/v1/stream`, (response) => {
      streamOpen.resolve();
      response.resume().on('end', () => streamEnded.resolve());
    }).end();
    await streamOpen.promise;
    const slow = call('/slow');
    await entered.promise;
    const closing = app.close();
    await streamEnded.promise;
    release.resolve();
    expect((await slow).body).toEqual({ done: true });
    await closing;
    expect(order).toEqual(['request done', 'module stopped']);
    await expect(fetch(`${app.url}/healthz`)).rejects.toThrow();
  });
});
