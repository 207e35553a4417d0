import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation, TOPOLOGIES } from '../harness/installation.js';

const ROOT = resolve(import.meta.dirname, '../..');
const BUF = join(ROOT, 'node_modules/.bin/buf');
const COMMAND = join(ROOT, 'apps/tocsin/dist/main.js');

/** The things the scenario is about, as HTTP spells them; a target of its own for each surface. */
const INTERVALS = { first: '1h', changed: '2h', rival: '3h' } as const;
const target = (surface: string, interval: string) => ({
  kind: 'service',
  labels: { surface },
  check: { type: 'tcp', host: '127.0.0.1', port: 9, interval },
});
const subscription = (surface: string) => ({
  types: ['io.tocsin.service.*'],
  labels: { surface },
  destination: { kind: 'webhook', url: 'http://127.0.0.1:9/hook' },
});

type Outcome = 'created' | 'updated' | 'unchanged';

/** One way to say to the registry who watches what and who is told. */
interface Surface {
  /** Declares a target and a subscription of the surface's name. */
  declare(interval: string): Promise<{ target: Outcome; subscription: Outcome; secret: boolean }>;
  /** Reads, lets `rival` write, then changes what was read; resolves to the code that it is refused with. */
  changeAfter(rival: () => Promise<void>): Promise<string>;
  /** Names of the surface's targets and subscriptions. */
  list(): Promise<{ targets: string[]; subscriptions: string[] }>;
  delete(): Promise<void>;
}

interface Run {
  code: number;
  out: string;
  err: string;
}

function run(
  file: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Run> {
  return new Promise((done) => {
    execFile(file, args, options, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

describe.each(TOPOLOGIES)('the registry, %s', (topology) => {
  let tocsin: Installation;
  let folder: string;

  beforeAll(async () => {
    tocsin = await Installation.create(topology);
    [folder] = await Promise.all([mkdtemp(join(tmpdir(), 'tocsin-surfaces-')), tocsin.start()]);
  });

  afterAll(async () => {
    await tocsin.stop();
    await Promise.all([tocsin.destroy(), rm(folder, { recursive: true, force: true })]);
  });

  const names = (items: { name: string }[] = []) => items.map(({ name }) => name);

  const overHttp: Surface = {
    async declare(interval) {
      const outcomes = { 201: 'created', 200: 'updated' } as const;
      const put = async (kind: string, body: object): Promise<{ outcome: Outcome; secret: boolean }> => {
        const before = await tocsin.call('GET', `/v1/${kind}/http`);
        const answer = await tocsin.call('PUT', `/v1/${kind}/http`, body);
        const same = before.body.revision === answer.body.revision;
        return { outcome: same ? 'unchanged' : outcomes[answer.status as 200 | 201], secret: 'secret' in answer.body };
      };
      const [one, other] = [
        await put('targets', target('http', interval)),
        await put('subscriptions', subscription('http')),
      ];
      return { target: one.outcome, subscription: other.outcome, secret: other.secret };
    },
    async changeAfter(rival) {
      const { headers } = await tocsin.call('GET', '/v1/targets/http');
      await rival();
      const body = target('http', INTERVALS.changed);
      return (await tocsin.call('PUT', '/v1/targets/http', body, { 'if-match': headers.get('etag') ?? '' })).body.code;
    },
    async list() {
      const of = async (kind: string) =>
        names((await tocsin.call('GET', `/v1/${kind}?labels=surface=http`)).body.items);
      return { targets: await of('targets'), subscriptions: await of('subscriptions') };
    },
    async delete() {
      for (const kind of ['targets', 'subscriptions']) await tocsin.call('DELETE', `/v1/${kind}/http`);
    },
  };

  /** `buf curl` with nothing but the address: what there is it learns by reflection. */
  async function curl(method: string, message: object): Promise<Run> {
    const url = `http://${tocsin.registryGrpcAddress}/tocsin.v1.SubscriptionRegistry/${method}`;
    const key = ['-H', `authorization: Bearer ${tocsin.apiKey}`];
    return run(BUF, [
      'curl',
      '--protocol',
      'grpc',
      '--http2-prior-knowledge',
      ...key,
      '-d',
      JSON.stringify(message),
      url,
    ]);
  }

  // Answers of every shape; a wrong guess fails the test.
  // oxlint-disable-next-line typescript/no-explicit-any
  async function answered(method: string, message: object): Promise<any> {
    const { code, out, err } = await curl(method, message);
    expect([code, err]).toEqual([0, '']);
    return JSON.parse(out);
  }

  const message = (interval: string) => {
    const { check, ...rest } = target('grpc', interval);
    const { type: _type, ...tcp } = check;
    return { ...rest, kind: 'TARGET_KIND_SERVICE', check: { tcp } };
  };

  const overGrpc: Surface = {
    async declare(interval) {
      const { destination, ...rest } = subscription('grpc');
      const { kind: _kind, ...webhook } = destination;
      const one = await answered('PutTarget', { name: 'grpc', target: message(interval) });
      const other = await answered('PutSubscription', {
        name: 'grpc',
        subscription: { ...rest, destination: { webhook } },
      });
      const outcome = (text: string) => text.replace('OUTCOME_', '').toLowerCase() as Outcome;
      return {
        target: outcome(one.outcome),
        subscription: outcome(other.outcome),
        secret: 'secret' in other.subscription,
      };
    },
    async changeAfter(rival) {
      const { target: read } = await answered('GetTarget', { name: 'grpc' });
      await rival();
      const write = { name: 'grpc', target: message(INTERVALS.changed), expectedRevision: read.revision };
      const { code, err } = await curl('PutTarget', write);
      expect(code).not.toBe(0);
      return /TCN_[A-Z_]+/.exec(JSON.parse(err).message)?.[0] ?? err;
    },
    async list() {
      const labels = { surface: 'grpc' };
      const { targets } = await answered('ListTargets', { labels });
      const { subscriptions } = await answered('ListSubscriptions', { labels });
      return { targets: names(targets), subscriptions: names(subscriptions) };
    },
    async delete() {
      await answered('DeleteTarget', { name: 'grpc' });
      await answered('DeleteSubscription', { name: 'grpc' });
    },
  };

  const command = (...args: string[]): Promise<Run> =>
    run(process.execPath, [COMMAND, ...args], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        TOCSIN_URL: tocsin.urlOf(''),
        TOCSIN_API_KEY: tocsin.apiKey,
      },
    });

  async function json(...args: string[]) {
    const { code, out, err } = await command(...args, '--json');
    expect([code, err]).toEqual([0, '']);
    return JSON.parse(out);
  }

  // JSON is YAML.
  const write = (content: object) =>
    writeFile(join(folder, 'tocsin.yaml'), JSON.stringify({ version: 1, owner: 'surfaces', ...content }));
  const everything = (interval: string) => ({
    targets: [{ name: 'file', ...target('file', interval) }],
    subscriptions: [{ name: 'file', ...subscription('file') }],
  });

  const byFile: Surface = {
    async declare(interval) {
      await write(everything(interval));
      const applied = await json('apply');
      const outcome = (subject: string) =>
        (['created', 'updated', 'unchanged'] as const).find((one) => applied[one].includes(subject)) ?? 'unchanged';
      return {
        target: outcome('target/file'),
        subscription: outcome('subscription/file'),
        secret: 'file' in applied.secrets,
      };
    },
    async changeAfter(rival) {
      await write(everything(INTERVALS.changed));
      expect((await command('plan', '--out', 'plan.json')).code).toBe(0);
      await rival();
      const { code, err } = await command('apply', '--plan', 'plan.json');
      expect(code).not.toBe(0);
      return /TCN_[A-Z_]+/.exec(err)?.[0] ?? err;
    },
    async list() {
      const of = async (kind: string) => names(await json('get', kind, '--labels', 'surface=file'));
      return { targets: await of('targets'), subscriptions: await of('subscriptions') };
    },
    async delete() {
      await write({});
      const { deleted } = await json('apply', '--prune');
      expect(deleted.toSorted()).toEqual(['subscription/file', 'target/file']);
    },
  };

  // The command speaks HTTP to one address: where the services stand is no matter to it.
  const surfaces = [
    ['http', 'HTTP', overHttp],
    ['grpc', 'gRPC, by buf curl with reflection', overGrpc],
    ...(topology === 'standalone' ? [['file', 'tocsin apply', byFile] as const] : []),
  ] as const;

  it.each(surfaces)('as %s: declare, change, conflict, list, delete (%s)', async (name, _what, surface) => {
    const shown = async () => (await tocsin.call('GET', `/v1/targets/${name}`)).body;
    expect(await surface.declare(INTERVALS.first)).toEqual({
      target: 'created',
      subscription: 'created',
      secret: true,
    });
    expect(await shown()).toMatchObject({ ...target(name, INTERVALS.first), state: 'pending' });
    expect(await surface.declare(INTERVALS.first)).toEqual({
      target: 'unchanged',
      subscription: 'unchanged',
      secret: false,
    });
    expect(await surface.declare(INTERVALS.changed)).toMatchObject({ target: 'updated', subscription: 'unchanged' });
    expect((await shown()).check.interval).toBe(INTERVALS.changed);

    const rival = async () => {
      const answer = await tocsin.call('PUT', `/v1/targets/${name}`, target(name, INTERVALS.rival));
      expect(answer.status).toBe(200);
    };
    // What was read is not what is there by now: nothing of it is written.
    expect(await surface.changeAfter(rival)).toBe('TCN_PRECONDITION_FAILED');
    expect((await shown()).check.interval).toBe(INTERVALS.rival);

    expect(await surface.list()).toEqual({ targets: [name], subscriptions: [name] });
    await surface.delete();
    expect(await surface.list()).toEqual({ targets: [], subscriptions: [] });
    for (const kind of ['targets', 'subscriptions']) {
      expect((await tocsin.call('GET', `/v1/${kind}/${name}`)).status).toBe(404);
    }
  });
});
