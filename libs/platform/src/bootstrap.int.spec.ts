import { createServer } from 'node:net';
import { request as httpRequest } from 'node:http';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Injectable,
  Module,
  Param,
  Post,
  Put,
  Query,
  RawBody,
  Sse,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import { NEVER, Observable } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  AnyContentType,
  bootstrap,
  type BootstrapOptions,
  BootstrapKeyVerifier,
  createLogger,
  CurrentPrincipal,
  type KeyVerifier,
  type Principal,
  Public,
  ReadinessRegistry,
  RequireRole,
  type RunningApp,
  type ServiceContext,
  systemClock,
  zodBody,
  zodParam,
} from './index.js';

const ADMIN_KEY = 'admin-key-of-at-least-thirty-two-characters';
const searchSchema = z.strictObject({ limit: z.coerce.number<string>().int().max(100) });
const thingSchema = z.strictObject({ name: z.string(), size: z.int().min(1) });

@Controller('v1')
class ThingsController {
  @Get('public')
  @Public()
  open() {
    return { open: true };
  }

  @Get('things/:name')
  @RequireRole('viewer')
  read(@Param('name', zodParam(z.string().max(5, 'must be at most 5 characters'), 'name')) name: string) {
    return { name };
  }

  @Put('things/:name')
  @RequireRole('editor')
  write(@Body(zodBody(thingSchema)) thing: z.output<typeof thingSchema>, @CurrentPrincipal() principal: Principal) {
    return { thing, by: principal.name };
  }

  @Get('search')
  @Public()
  search(@Query({ schema: searchSchema }) query: z.output<typeof searchSchema>) {
    return query;
  }

  @Post('search')
  @Public()
  @HttpCode(200)
  searchByBody(@Body({ schema: searchSchema }) query: z.output<typeof searchSchema>) {
    return query;
  }

  @Post('heartbeats/:token')
  heartbeat() {
    return {};
  }

  @Post('events')
  @HttpCode(201)
  @RequireRole('producer')
  @AnyContentType()
  append(@RawBody() raw: Buffer | undefined, @Body() body: unknown) {
    return { raw: raw?.toString('hex'), body };
  }

  @Get('unmarked')
  unmarked() {
    return {};
  }

  @Get('fails')
  @Public()
  fails() {
    throw new Error('the password is hunter2');
  }

  @Get('overloaded')
  @Public()
  overloaded() {
    throw new TocsinError('TCN_OVERLOADED', 'too many appends wait', { retryAfterMs: 1_200 });
  }

  @Get('database')
  @Public()
  database() {
    throw new TocsinError('TCN_POSTGRES_UNREACHABLE', 'cannot connect to db.internal:5432/tocsin');
  }

  @Sse('stream')
  @Public()
  stream(): Observable<{ data: string }> {
    return NEVER;
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

const KEYS: Record<string, Principal> = {
  viewer: { name: 'dashboard', role: 'viewer' },
  editor: { name: 'ci', role: 'editor' },
  producer: { name: 'deployer', role: 'producer' },
};
const bootstrapKey = new BootstrapKeyVerifier(ADMIN_KEY);
const verifier: KeyVerifier = { verify: async (key) => KEYS[key] ?? bootstrapKey.verify(key) };

let running: RunningApp | undefined;
let lines: Record<string, unknown>[] = [];

function context(): ServiceContext {
  lines = [];
  return {
    logger: createLogger({
      name: 'test',
      level: 'debug',
      destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    }),
    clock: systemClock,
    random: Math.random,
    readiness: new ReadinessRegistry(),
  };
}

async function start(options: Partial<BootstrapOptions> = {}, module: BootstrapOptions['extraModules'] = []) {
  running = await bootstrap(ThingsModule, {
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    context: context(),
    verifier,
    signals: false,
    extraModules: module,
    ...options,
  });
  return running;
}

afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function call(path: string, init: RequestInit & { key?: string } = {}) {
  const headers = new Headers(init.headers);
  if (init.key !== undefined) headers.set('authorization', `Bearer ${init.key}`);
  const response = await fetch(`${running?.url}${path}`, { ...init, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function putThing(body: string, contentType: string | undefined = 'application/json', key = 'editor') {
  return call('/v1/things/a', {
    method: 'PUT',
    body,
    key,
    headers: contentType ? { 'content-type': contentType } : {},
  });
}

describe('errors over HTTP', () => {
  it('answers an unknown route with a problem document', async () => {
    await start();
    const answer = await call('/v1/nothing?key=secret');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toEqual({
      type: 'urn:tocsin:error:TCN_NOT_FOUND',
      title: 'There is no such thing',
      status: 404,
      code: 'TCN_NOT_FOUND',
      detail: 'nothing is served at /v1/nothing',
      instance: '/v1/nothing',
    });
  });

  it('answers a known route with another method with 405 and Allow', async () => {
    await start();
    const answer = await call('/v1/things/a', { method: 'DELETE' });
    expect(answer.status).toBe(405);
    expect(answer.body['code']).toBe('TCN_METHOD_NOT_ALLOWED');
    expect(answer.headers.get('allow')).toBe('GET, HEAD, PUT');
  });

  it('answers a path with a broken escape with 400', async () => {
    await start();
    const answer = await call('/v1/things/%FF', { key: 'viewer' });
    expect(answer.status).toBe(400);
    expect(answer.body['code']).toBe('TCN_MALFORMED');
  });

  it('shows nothing of the inside of an unexpected error, and logs it', async () => {
    await start();
    const answer = await call('/v1/fails');
    expect(answer.status).toBe(500);
    expect(answer.body).toMatchObject({ code: 'TCN_INTERNAL', detail: 'Something went wrong inside Tocsin' });
    expect(answer.text).not.toContain('hunter2');
    expect(lines.find((line) => line['msg'] === 'request failed')).toMatchObject({
      path: '/v1/fails',
      err: { message: 'the password is hunter2' },
    });
  });

  it('does not show where the database is', async () => {
    await start();
    const answer = await call('/v1/database');
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ code: 'TCN_POSTGRES_UNREACHABLE', detail: 'Postgres cannot be reached' });
    expect(answer.text).not.toContain('db.internal');
  });

  it('says when to come again, in whole seconds rounded up', async () => {
    await start();
    const answer = await call('/v1/overloaded');
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.body['detail']).toBe('too many appends wait');
  });

  it('sends security headers and does not name the framework', async () => {
    await start();
    for (const path of ['/v1/public', '/v1/nothing']) {
      const { headers } = await call(path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('etag')).toBeNull();
    }
  });
});

describe('bodies', () => {
  it('takes JSON that fits the schema', async () => {
    await start();
    const answer = await putThing('{"name":"a","size":2}', 'application/json; charset=utf-8');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ thing: { name: 'a', size: 2 }, by: 'ci' });
  });

  it('names every fault by pointer with 422', async () => {
    await start();
    const answer = await putThing('{"name":1,"size":0,"extra":true}');
    expect(answer.status).toBe(422);
    expect(answer.body['code']).toBe('TCN_INVALID');
    expect((answer.body['errors'] as { pointer: string }[]).map((fault) => fault.pointer).sort()).toEqual([
      '/extra',
      '/name',
      '/size',
    ]);
  });

  it('validates where a parameter names its schema', async () => {
    await start();
    expect((await call('/v1/search?limit=5')).body).toEqual({ limit: 5 });
    const query = await call('/v1/search?limit=500&x=1');
    expect(query.status).toBe(422);
    expect((query.body['errors'] as { pointer: string }[]).map((fault) => fault.pointer).sort()).toEqual([
      '/limit',
      '/x',
    ]);
    const body = await call('/v1/search', {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(body.body).toMatchObject({ code: 'TCN_INVALID', errors: [{ pointer: '/limit' }] });
  });

  it('says what is wrong with JSON, and where', async () => {
    await start();
    const answer = await putThing('{"name": "a",\n "size": }');
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      code: 'TCN_MALFORMED',
      detail: 'the body is not JSON: line 2, column 10: expected a value, found "}"',
    });
  });

  it('refuses a body in another charset, not UTF-8, compressed, or nested too deeply', async () => {
    await start();
    expect((await putThing('{}', 'application/json; charset=latin1')).status).toBe(415);
    const broken = await call('/v1/things/a', {
      method: 'PUT',
      key: 'editor',
      body: Buffer.from([0x22, 0xff, 0x22]),
      headers: { 'content-type': 'application/json' },
    });
    expect(broken.body).toMatchObject({ code: 'TCN_MALFORMED', detail: 'the body is not UTF-8' });
    const packed = await call('/v1/things/a', {
      method: 'PUT',
      key: 'editor',
      body: 'x',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect(packed.status).toBe(415);
    const deep = await putThing('['.repeat(200_000) + ']'.repeat(200_000));
    expect(deep.status).toBe(400);
    expect(deep.body['detail']).toBe('the body is nested more than 100 levels deep');
  });

  it('refuses a body of another content type, or of none', async () => {
    await start();
    const form = await putThing('name=a', 'application/x-www-form-urlencoded');
    expect(form.status).toBe(415);
    expect(form.body).toMatchObject({
      code: 'TCN_UNSUPPORTED_MEDIA_TYPE',
      detail: 'Content-Type application/x-www-form-urlencoded is not taken here; send application/json',
    });
    const none = await call('/v1/things/a', { method: 'PUT', key: 'editor', body: Buffer.from('{}') });
    expect(none.status).toBe(415);
  });

  it('refuses a body over the limit, announced or not', async () => {
    await start({ bodyLimitBytes: 1_000 });
    const announced = await putThing(JSON.stringify({ name: 'x'.repeat(2_000), size: 1 }));
    expect(announced.status).toBe(413);
    expect(announced.body).toMatchObject({ code: 'TCN_TOO_LARGE', detail: 'the body is larger than 1000 bytes' });
    const chunked = await call('/v1/things/a', {
      method: 'PUT',
      key: 'editor',
      body: new Blob(['x'.repeat(5_000)]).stream(),
      headers: { 'content-type': 'application/json' },
      duplex: 'half',
    } as RequestInit);
    expect(chunked.status).toBe(413);
  });

  it('gives a route the raw bytes of any content type, and the value where it is JSON', async () => {
    await start();
    const binary = await call('/v1/events', {
      method: 'POST',
      key: 'producer',
      body: Buffer.from([1, 2, 255]),
      headers: { 'content-type': 'image/png' },
    });
    expect(binary.status).toBe(201);
    expect(binary.body).toEqual({ raw: '0102ff' });
    const json = await call('/v1/events', {
      method: 'POST',
      key: 'producer',
      body: '{}',
      headers: { 'content-type': 'application/vnd.acme+json' },
    });
    expect(json.body).toEqual({ raw: '7b7d', body: {} });
    const empty = await call('/v1/events', { method: 'POST', key: 'producer' });
    expect(empty.body).toEqual({});
  });

  it('does not read the body of a caller without a key', async () => {
    await start();
    const answer = await putThing('{"broken', 'application/json', 'nobody');
    expect(answer.status).toBe(401);
  });
});

describe('access', () => {
  it('asks for a key', async () => {
    await start();
    const answer = await call('/v1/things/a');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="tocsin"');
    expect(answer.body['code']).toBe('TCN_UNAUTHENTICATED');
  });

  it.each([
    ['viewer', 'GET', '/v1/things/a', 200],
    ['viewer', 'PUT', '/v1/things/a', 403],
    ['editor', 'GET', '/v1/things/a', 200],
    ['editor', 'POST', '/v1/events', 403],
    ['producer', 'POST', '/v1/events', 201],
    ['producer', 'GET', '/v1/things/a', 403],
    [ADMIN_KEY, 'POST', '/v1/events', 201],
    [ADMIN_KEY, 'GET', '/v1/unmarked', 200],
    ['editor', 'GET', '/v1/unmarked', 403],
    ['wrong-key', 'GET', '/v1/things/a', 401],
  ])('%s may %s %s → %i', async (key, method, path, status) => {
    await start();
    expect((await call(path, { key, method })).status).toBe(status);
  });

  it('takes the scheme in any case', async () => {
    await start();
    expect((await call('/v1/things/a', { headers: { authorization: 'bearer viewer' } })).status).toBe(200);
  });

  it('logs every refusal with who and what, and never the key', async () => {
    await start();
    await call('/v1/things/a?token=abc', { key: 'a-key-that-nobody-has' });
    await call('/v1/things/a', { key: 'viewer', method: 'PUT' });
    const denied = lines.filter((line) => line['msg'] === 'call denied');
    expect(denied).toMatchObject([
      { level: 'warn', code: 'TCN_UNAUTHENTICATED', method: 'GET', path: '/v1/things/a', remote: '127.0.0.1' },
      { level: 'warn', code: 'TCN_FORBIDDEN', method: 'PUT', principal: 'dashboard', role: 'viewer' },
    ]);
    expect(JSON.stringify(lines)).not.toContain('a-key-that-nobody-has');
    expect(JSON.stringify(lines)).not.toContain('token=abc');
  });

  it('does not log the token of a heartbeat', async () => {
    await start();
    await call('/v1/heartbeats/hb_4711', { method: 'POST' });
    expect(lines.find((line) => line['msg'] === 'call denied')).toMatchObject({ path: '/v1/heartbeats/***' });
    expect(JSON.stringify(lines)).not.toContain('hb_4711');
  });

  it('answers 503, not 401, while the verifier cannot say', async () => {
    await start({
      verifier: {
        verify: async () => {
          throw new TocsinError('TCN_UNAVAILABLE', 'the registry is not there', { retryAfterMs: 1 });
        },
      },
    });
    const answer = await call('/v1/things/a', { key: 'viewer' });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
  });
});

describe('health', () => {
  it('says that the process is alive, to anybody', async () => {
    await start();
    expect((await call('/healthz')).body).toEqual({ status: 'ok' });
  });

  it('says which check fails, and why', async () => {
    const app = context();
    app.readiness.register('postgres', () => true);
    app.readiness.register('nats', async () => {
      throw new TocsinError('TCN_NATS_UNREACHABLE', 'no server at nats://user:pass@nats:4222');
    });
    await start({ context: app });
    const answer = await call('/readyz');
    expect(answer.status).toBe(503);
    expect(answer.body).toEqual({
      status: 'not ready',
      checks: { postgres: 'ok', nats: 'TCN_NATS_UNREACHABLE: no server at nats://***@nats:4222' },
    });
  });

  it('serves metrics in the text format of Prometheus, by route and not by path', async () => {
    await start();
    await call('/v1/things/abc', { key: 'viewer' });
    await call('/v1/nothing/here');
    const answer = await call('/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.text).toMatch(
      /^http_server_request_duration_seconds_count\{method="GET",route="\/v1\/things\/:name",status="200"\} \d+$/m,
    );
    expect(answer.text).toMatch(
      /^http_server_request_duration_seconds_count\{method="GET",route="none",status="404"\} \d+$/m,
    );
    expect(answer.text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(answer.text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(answer.text).not.toContain('abc');
    expect(answer.text).not.toContain('here');
  });

  it('is ready when all checks pass', async () => {
    const app = context();
    app.readiness.register('postgres', async () => undefined);
    await start({ context: app });
    const answer = await call('/readyz');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ status: 'ok', checks: { postgres: 'ok' } });
  });
});

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
    await expect(start({ extraModules: [BrokenModule] })).rejects.toMatchObject({ code: 'TCN_POSTGRES_UNSUITABLE' });
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
