import { freePort } from '@tocsin/embedded';
import { ProcessGroup, Receiver } from '@tocsin/testing';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ApiAnswer, Installation, TOPOLOGIES } from '../harness/installation.js';

const ROOT = resolve(import.meta.dirname, '../..');

describe('a process that cannot start', () => {
  let folder: string;
  let processes: ProcessGroup;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tocsin-refusals-'));
    processes = new ProcessGroup();
  });

  afterEach(async () => {
    await processes.kill9();
    await processes.expectNoLeftovers();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs it to its end. */
  async function run(
    program: string,
    env: Record<string, string | undefined> = {},
  ): Promise<{ code: number | null; lines: string[] }> {
    const [file = '', ...args] = program.split(' ');
    const child = await processes.spawn(program, process.execPath, [join(ROOT, file), ...args], {
      cwd: folder,
      env: { TOCSIN_LOG_LEVEL: 'silent', TOCSIN_HTTP_PORT: '0', TOCSIN_GRPC_PORT: '0', ...env },
    });
    const { code } = await child.exited;
    return { code, lines: child.output.trim().split('\n') };
  }

  const UP = 'apps/tocsin/dist/main.js up';
  const SERVICE_ENV = {
    TOCSIN_POSTGRES_URL: 'postgres://tocsin:hidden@127.0.0.1:1/tocsin',
    TOCSIN_NATS_URL: 'nats://127.0.0.1:1',
    TOCSIN_API_KEY: 'k'.repeat(32),
    TOCSIN_MASTER_KEY: Buffer.alloc(32).toString('base64'),
  };

  it('names the port that is in use', async () => {
    const receiver = await Receiver.start();
    const { port } = receiver;
    const { code, lines } = await run(UP, { TOCSIN_HTTP_PORT: String(port) });
    await receiver.close();
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(new RegExp(`^tocsin: TCN_PORT_IN_USE: .*127\\.0\\.0\\.1:${port}`));
  });

  it('names the port that is in use for gRPC', async () => {
    const receiver = await Receiver.start();
    const { port } = receiver;
    const { code, lines } = await run(UP, { TOCSIN_GRPC_PORT: String(port) });
    await receiver.close();
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(new RegExp(`^tocsin: TCN_PORT_IN_USE: .*127\\.0\\.0\\.1:${port} .*TOCSIN_GRPC_PORT`));
  });

  it('names the Postgres that cannot be reached, without the password', async () => {
    const port = await freePort();
    const { code, lines } = await run(UP, { TOCSIN_POSTGRES_URL: `postgres://tocsin:hidden@127.0.0.1:${port}/tocsin` });
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(new RegExp(`^tocsin: TCN_POSTGRES_UNREACHABLE: .*127\\.0\\.0\\.1:${port}`));
    expect(lines.join('\n')).not.toContain('hidden');
  });

  it('names the NATS that cannot be reached', async () => {
    const port = await freePort();
    const { code, lines } = await run(UP, { TOCSIN_NATS_URL: `nats://127.0.0.1:${port}` });
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(new RegExp(`^tocsin: TCN_NATS_UNREACHABLE: .*127\\.0\\.0\\.1:${port}`));
  });

  it.each(['event-recorder', 'subscription-registry', 'delivery', 'health-probe'])(
    'as the service %s says so in one line and ends with 1',
    async (service) => {
      const { code, lines } = await run(`apps/${service}/dist/main.js`, SERVICE_ENV);
      expect(code).toBe(1);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(new RegExp(`^${service}: TCN_NATS_UNREACHABLE: .*127\\.0\\.0\\.1:1`));
    },
  );

  it('names every variable that is missing or wrong, never a value', async () => {
    const { code, lines } = await run('apps/delivery/dist/main.js', {
      ...SERVICE_ENV,
      TOCSIN_POSTGRES_URL: 'mysql://secret-host/db',
      TOCSIN_MASTER_KEY: undefined,
    });
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^delivery: TCN_CONFIG: /);
    expect(lines[0]).toContain('TOCSIN_POSTGRES_URL: must be a URL that starts with postgres://');
    expect(lines[0]).toContain('TOCSIN_MASTER_KEY: is not set');
    expect(lines[0]).not.toContain('secret-host');
  });

  it.each([
    ['that is not YAML', 'version: 1\ntargets: [\n', /^tocsin: TCN_MALFORMED: tocsin\.yaml, line 3, column 1: /],
    [
      'with an unknown field',
      'version: 1\ntargets:\n  - name: a\n    kind: node\n    check: { type: http, url: "http://127.0.0.1/", intervall: 1s }\n',
      /^tocsin: TCN_INVALID: tocsin\.yaml, line 5, column \d+: \/targets\/0\/check\/intervall: unknown field/,
    ],
    [
      'that names an unset variable',
      'version: 1\nsubscriptions:\n  - name: s\n    types: ["*"]\n    destination: { kind: webhook, url: "${env:NOT_SET_HERE}" }\n',
      /^tocsin: TCN_INVALID: tocsin\.yaml, line 5, column \d+: \/subscriptions\/0\/destination\/url: \$\{env:NOT_SET_HERE\}: the environment variable is not set/,
    ],
    [
      'of another version',
      'version: 2\n',
      /^tocsin: TCN_INVALID: tocsin\.yaml, line 1, column 1: \/version: must be 1/,
    ],
  ])('because of a tocsin.yaml %s says where', async (_what, text, expected) => {
    await writeFile(join(folder, 'tocsin.yaml'), text);
    const { code, lines } = await run(UP);
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(expected);
  });
});

describe.each(TOPOLOGIES)('a request that cannot be taken, %s', (topology) => {
  let tocsin: Installation;

  beforeAll(async () => {
    tocsin = await Installation.create(topology);
    await tocsin.start();
  });

  afterAll(async () => {
    await tocsin.stop();
    await tocsin.destroy();
  });

  const target = (check: object = {}) => ({
    kind: 'node',
    check: { type: 'http', url: 'http://127.0.0.1:9/', ...check },
  });

  function expectProblem(answer: ApiAnswer, status: number, code: string): void {
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect([answer.status, answer.body.status, answer.body.code]).toEqual([status, status, code]);
  }

  it('because its JSON is broken says where', async () => {
    const answer = await tocsin.call('PUT', '/v1/targets/a', '{"kind": "node",\n "check": }');
    expectProblem(answer, 400, 'TCN_MALFORMED');
    expect(answer.body.detail).toContain('line 2');
  });

  it('because of an unknown field points to it', async () => {
    const answer = await tocsin.call('PUT', '/v1/targets/a', { ...target(), colour: 'red' });
    expectProblem(answer, 422, 'TCN_INVALID');
    expect(answer.body.errors).toEqual([{ pointer: '/colour', detail: 'unknown field' }]);
  });

  it('because of a wrong value says what would be right, all of it at once', async () => {
    const answer = await tocsin.call('PUT', '/v1/targets/a', target({ interval: 'soon', failures: 0 }));
    expectProblem(answer, 422, 'TCN_INVALID');
    expect(answer.body.errors.map((fault: { pointer: string }) => fault.pointer).sort()).toEqual([
      '/check/failures',
      '/check/interval',
    ]);
  });

  it.each([
    ['no key', {}],
    ['a wrong key', { authorization: `Bearer ${'x'.repeat(40)}` }],
  ])('because of %s is 401', async (_what, headers) => {
    for (const path of ['/v1/targets', '/v1/subscriptions', '/v1/events', '/v1/deliveries']) {
      const response = await fetch(tocsin.urlOf(path), { headers });
      expect([path, response.status, response.headers.get('www-authenticate')?.split(' ')[0]]).toEqual([
        path,
        401,
        'Bearer',
      ]);
      expect(await response.json()).toMatchObject({ code: 'TCN_UNAUTHENTICATED' });
    }
  });

  it('because there is no such thing is 404', async () => {
    for (const path of [
      '/v1/targets/nobody',
      '/v1/subscriptions/nobody',
      '/v1/events/999999',
      '/v1/deliveries/9-nobody',
      '/v1/nothing',
    ]) {
      const answer = await tocsin.call('GET', path);
      expectProblem(answer, 404, 'TCN_NOT_FOUND');
    }
  });

  it('because the receiver stands where Tocsin must not send says so when it is declared', async () => {
    const answer = await tocsin.call('PUT', '/v1/subscriptions/s', {
      types: ['*'],
      destination: { kind: 'webhook', url: 'http://169.254.169.254/latest/meta-data' },
    });
    expectProblem(answer, 422, 'TCN_EGRESS_BLOCKED');
    expect(answer.body.errors[0].pointer).toBe('/destination/url');
  });

  it('leaves nothing behind', async () => {
    expect((await tocsin.call('GET', '/v1/targets')).body.items).toEqual([]);
    expect((await tocsin.call('GET', '/v1/subscriptions')).body.items).toEqual([]);
  });
});
