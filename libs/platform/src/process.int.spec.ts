import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const LIBRARY = fileURLToPath(new URL('..', import.meta.url));

interface Child {
  process: ChildProcess;
  output: () => string;
  /** The first line that matches, as soon as it is there. */
  line: (pattern: RegExp) => Promise<RegExpExecArray>;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const children: ChildProcess[] = [];
const servers: Server[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Runs a program of its own that imports this library from source. */
function run(code: string, env: Record<string, string> = {}, ...options: string[]): Child {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@tocsin/source',
      '--import',
      '@oxc-node/core/register',
      ...options,
      '--input-type=module',
      '-e',
      code,
    ],
    { cwd: LIBRARY, env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.push(child);
  let output = '';
  let notify = (): void => undefined;
  const collect = (chunk: Buffer) => {
    output += chunk.toString();
    notify();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (exitCode, signal) => resolve({ code: exitCode, signal })),
  );
  return {
    process: child,
    output: () => output,
    exited,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        notify = () => {
          const match = pattern.exec(output);
          if (match !== null) resolve(match);
        };
        notify();
        void exited.then(() => reject(new Error(`ended without ${pattern}:\n${output}`)));
      }),
  };
}

async function serve(answer: (path: string, headers: IncomingHttpHeaders, body: string) => string): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(answer(request.url ?? '', request.headers, Buffer.concat(chunks).toString()));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A service with one route that calls $RECEIVER, and a module that takes its time to stop. */
const SERVICE = `
  import { Controller, Injectable, Module, Post } from '@nestjs/common';
  import * as platform from '@tocsin/platform';
  const logger = platform.createLogger({ name: 'test', format: 'json' });
  class Caller {
    async call() {
      logger.info('calling');
      const response = await fetch(process.env.RECEIVER, { method: 'POST', headers: { authorization: 'secret-key' } });
      return response.json();
    }
  }
  Post('v1/heartbeats/:token')(Caller.prototype, 'call', Object.getOwnPropertyDescriptor(Caller.prototype, 'call'));
  platform.Public()(Caller);
  Controller()(Caller);
  class Worker {
    async onApplicationShutdown() {
      if (process.env.STOP === 'fails') throw new Error('cannot stop');
      if (process.env.STOP === 'hangs') await new Promise(() => setInterval(() => {}, 1000));
      logger.info('worker stopped');
    }
  }
  Injectable()(Worker);
  class Service {}
  Module({ controllers: [Caller], providers: [Worker] })(Service);
  const running = await platform.bootstrap(Service, {
    name: 'test', host: '127.0.0.1', port: 0, verifier: { verify: async () => undefined },
    context: { logger, clock: platform.systemClock, random: Math.random, readiness: new platform.ReadinessRegistry() },
    afterClose: async () => {
      if (process.env.AFTER_CLOSE === 'fails') throw new Error('cannot close');
      logger.info('broker closed');
    },
  });
  console.log('URL=' + running.url + '.');
`;

async function urlOf(child: Child): Promise<string> {
  return (await child.line(/URL=(.*)\./))[1] ?? '';
}

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s stops the modules, then the rest, and exits with 0', async (signal) => {
    const child = run(SERVICE);
    const url = await urlOf(child);
    // An idle connection that is kept alive must not hold up the end.
    await fetch(`${url}/healthz`);
    child.process.kill(signal);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    const messages = [...child.output().matchAll(/"msg":"([^"]*)"/g)].map((match) => match[1]);
    expect(messages.slice(-4)).toEqual(['stopping', 'worker stopped', 'broker closed', 'stopped']);
  });

  it('ends at once at the second signal', async () => {
    const child = run(SERVICE, { STOP: 'hangs' });
    await urlOf(child);
    child.process.kill('SIGINT');
    await child.line(/"stopping"/);
    child.process.kill('SIGINT');
    expect(await child.exited).toEqual({ code: 130, signal: null });
  });

  it('stops the rest where one module cannot stop, and says so', async () => {
    const child = run(SERVICE, { STOP: 'fails' });
    await urlOf(child);
    child.process.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.output()).toMatch(/"level":"error".*cannot stop/);
    expect(child.output()).toContain('"broker closed"');
  });

  it('exits with 1 where what comes after the modules cannot stop', async () => {
    const child = run(SERVICE, { AFTER_CLOSE: 'fails' });
    await urlOf(child);
    child.process.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.output()).toMatch(/"err":{.*"cannot close".*"could not stop in good order"/);
  });
});

describe('runService', () => {
  const program = `
    import { commonFields, defineConfig, required, runService } from '@tocsin/platform';
    const { TOCSIN_POSTGRES_URL, TOCSIN_API_KEY, ...fields } = commonFields;
    await runService({
      name: 'probe',
      config: defineConfig({ ...fields, TOCSIN_API_KEY: required(TOCSIN_API_KEY) }),
      register: () => { throw new Error('not reached'); },
    });`;

  it('names what is wrong with the configuration in one line, and exits with 1', async () => {
    const child = run(program, { TOCSIN_HTTP_PORT: 'secret', TOCSIN_API_KEY: 'x'.repeat(32) });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.output()).toBe(
      'probe: TCN_CONFIG: TOCSIN_HTTP_PORT: must be a port number, 0 to 65535; TOCSIN_NATS_URL: is not set\n',
    );
  });
});

describe('telemetry', () => {
  interface Span {
    name: string;
    traceId: string;
    spanId: string;
    parentSpanId?: string;
    attributes: { key: string; value: { stringValue?: string } }[];
  }

  async function traced(env: (collector: string) => Record<string, string>) {
    const exports: string[] = [];
    const received: { path: string; headers: IncomingHttpHeaders }[] = [];
    const collector = await serve((_path, _headers, body) => {
      exports.push(body);
      return '{}';
    });
    const receiver = await serve((path, headers) => {
      received.push({ path, headers });
      return '{"ok":true}';
    });
    const child = run(
      SERVICE,
      { RECEIVER: `${receiver}/services/secret-path?token=secret-query`, ...env(collector) },
      '--import',
      '@tocsin/platform/telemetry',
    );
    const url = await urlOf(child);
    const response = await fetch(`${url}/v1/heartbeats/secret-token?x=1`, {
      method: 'POST',
      headers: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        baggage: 'user=secret-baggage',
      },
    });
    expect(await response.json()).toEqual({ ok: true });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    await fetch(`${url}/healthz`);
    child.process.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    const spans = exports.flatMap((body) => {
      const batch = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      return batch.resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans));
    });
    return { spans, exports: exports.join('\n'), received, receiver, metrics, log: child.output() };
  }

  it('follows a call through the service to the receiver and shows no secret on the way', async () => {
    const { spans, exports, received, receiver, metrics, log } = await traced((collector) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_SERVICE_NAME: 'test-service',
    }));
    expect(spans.map((span) => span.name).sort()).toEqual(['POST', 'POST /v1/heartbeats/:token']);
    const server = spans.find((span) => span.name !== 'POST');
    const client = spans.find((span) => span.name === 'POST');
    expect(server).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', parentSpanId: 'b7ad6b7169203331' });
    expect(client).toMatchObject({ traceId: server?.traceId, parentSpanId: server?.spanId });
    const attributes = (span: Span | undefined) =>
      Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, value.stringValue]));
    expect(attributes(server)).toMatchObject({
      'http.route': '/v1/heartbeats/:token',
      'url.path': '/v1/heartbeats/***',
    });
    expect(attributes(client)).toMatchObject({ 'url.full': `${receiver}/***`, 'url.path': '/***', 'url.query': '' });
    expect(exports).not.toMatch(/secret-/);
    expect(exports).toContain('test-service');

    expect(received).toHaveLength(1);
    expect(received[0]?.path).toBe('/services/secret-path?token=secret-query');
    expect(received[0]?.headers['traceparent']).toBe(`00-${client?.traceId}-${client?.spanId}-01`);
    expect(received[0]?.headers).not.toHaveProperty('baggage');

    expect(log).toMatch(new RegExp(`"trace_id":"${server?.traceId}","span_id":"${server?.spanId}".*"msg":"calling"`));
    expect(metrics).toContain('http_server_request_duration_seconds_count{method="POST",route="/v1/heartbeats/:token"');
    expect(metrics).not.toContain('http_client_request_duration');
  });

  it.each<Record<string, string>>([
    {},
    { OTEL_TRACES_EXPORTER: 'none' },
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' },
  ])('traces nothing but still measures with %j', async (env) => {
    const { spans, received, metrics } = await traced(() => env);
    expect(spans).toEqual([]);
    expect(received[0]?.headers).not.toHaveProperty('traceparent');
    expect(metrics).toContain('http_server_request_duration_seconds_count{method="POST"');
  });

  it('ends in time where the collector does not answer', async () => {
    const { log } = await traced(() => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    }));
    expect(log).toContain('"msg":"stopped"');
  });
});
