import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../harness/installation.js';
import { spyOn } from '../harness/nats-spy.js';

const COMMAND = resolve(import.meta.dirname, '../../apps/tocsin/dist/main.js');
/** More than one message holds several times over. */
const MANY = 2_500;

describe('apply, with each service a process of its own', () => {
  let tocsin: Installation;
  let folder: string;

  beforeAll(async () => {
    tocsin = await Installation.create('distributed');
    folder = await mkdtemp(join(tmpdir(), 'tocsin-apply-'));
    await tocsin.start();
  });
  afterAll(async () => {
    await tocsin?.destroy();
    await rm(folder, { recursive: true, force: true });
  });

  interface Run {
    code: number | null;
    out: string;
    err: string;
  }

  function command(...args: string[]): Promise<Run> {
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      TOCSIN_URL: new URL(tocsin.urlOf('/v1/apply')).origin,
      TOCSIN_API_KEY: tocsin.apiKey,
      HOOK: 'https://hooks.example.net/geheim',
    };
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd: folder, env, stdio: 'pipe' });
    const run: Run = { code: null, out: '', err: '' };
    child.stdout.on('data', (chunk) => (run.out += String(chunk)));
    child.stderr.on('data', (chunk) => (run.err += String(chunk)));
    child.stdin.end();
    return new Promise((settle) => child.once('close', (code) => settle(Object.assign(run, { code }))));
  }

  /** Ids of all that the registry has recorded; observers record too, whenever they see something. */
  const declarations = async () =>
    ((await tocsin.events()) as { id: string; source?: string }[])
      .filter(({ source }) => source === 'tocsin/subscription-registry')
      .map(({ id }) => id);
  const declare = (file: string, text: string) => writeFile(join(folder, file), text);
  const fleet = (names: string, label: string, more = '') => `version: 1
owner: team
targets:
  - each: [${names}]
    name: "\${item}"
    kind: node
    labels: { by: ${label} }
    check: { type: tcp, host: 127.0.0.1, port: 9, interval: 1h }
${more}`;

  /** Labels `by` of the targets whose names begin so, counted. */
  async function labels(prefix: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (let cursor = ''; ;) {
      const { body } = await tocsin.call('GET', `/v1/targets?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`);
      for (const { name, labels: its } of body.items as { name: string; labels: Record<string, string> }[]) {
        const by = its['by'] ?? '';
        if (name.startsWith(prefix)) counts[by] = (counts[by] ?? 0) + 1;
      }
      if (body.next === null) return counts;
      cursor = body.next;
    }
  }

  describe('of a plan that was kept', () => {
    it('does what was planned, prunes what was shown, and is refused the second time', async () => {
      await declare(
        'tocsin.yaml',
        fleet(
          'p-1, p-2',
          'first',
          `subscriptions:
  - { name: p-s, types: [io.tocsin.*.*], destination: { kind: webhook, url: "\${env:HOOK}" } }
maintenance:
  - { name: p-w, start: "2030-01-01T00:00:00Z", end: "2030-01-01T02:00:00Z", selector: { by: first } }
`,
        ),
      );
      expect((await command('apply')).out).toMatch(/\n4 created, 0 changed, 0 as before\n$/);
      const before = await declarations();
      expect(await command('apply')).toEqual({ code: 0, out: 'No changes: all 4 stand as declared.\n', err: '' });
      expect(await declarations()).toEqual(before);

      await declare('tocsin.yaml', fleet('p-2, p-3', 'second'));
      const plan = await command('plan', '--prune', '--out', 'plan.json', '--detailed-exitcode');
      expect([plan.code, plan.out]).toEqual([
        2,
        `+ target/p-3   node; tcp 127.0.0.1:9; by=second
~ target/p-2
    labels.by: "first" → "second"
- maintenance/p-w
- target/p-1
- subscription/p-s

1 would be created, 1 would be changed, 3 would be deleted, 0 as before
`,
      ]);
      // Somebody crashes in between; the plan is kept.
      await tocsin.kill9Service('subscription-registry');
      await tocsin.start();
      const applied = await command('apply', '--plan', 'plan.json');
      expect([applied.code, applied.err]).toEqual([0, '']);
      expect(applied.out).toMatch(/\n1 created, 1 changed, 3 deleted, 0 as before\n$/);
      expect(await labels('p-')).toEqual({ second: 2 });
      expect((await tocsin.call('GET', '/v1/maintenance/p-w')).status).toBe(404);

      const again = await command('apply', '--plan', 'plan.json');
      expect([again.code, again.out]).toEqual([1, '']);
      expect(again.err).toMatch(/^tocsin apply: TCN_PRECONDITION_FAILED: nothing was applied, .*; plan again\n/);
    });

    it('is refused as a whole where something it touches has changed, and says what and where', async () => {
      await declare('cas.yaml', fleet('c-1, c-2', 'first'));
      await command('apply', '-f', 'cas.yaml');
      await declare('cas.yaml', fleet('c-1, c-2', 'second'));
      await command('plan', '-f', 'cas.yaml', '-o', 'cas.json');
      await tocsin.call(
        'PATCH',
        '/v1/targets/c-2',
        { labels: { by: 'rival' } },
        { 'content-type': 'application/json' },
      );
      const late = await command('apply', '--plan', 'cas.json');
      expect(late.code).toBe(1);
      expect(late.err).toMatch(
        /^tocsin apply: TCN_PRECONDITION_FAILED: .*: target\/c-2 is at revision \d+ now, and was at \d+ when it was planned; plan again\n$/,
      );
      expect(await labels('c-')).toEqual({ first: 1, rival: 1 });
    });
  });

  it('of a file that is half valid applies nothing, and names the place', async () => {
    await declare(
      'half.yaml',
      fleet('h-1', 'x', `  - { name: h-2, kind: node, chekc: { type: tcp, host: a, port: 9 } }\n`),
    );
    const before = await declarations();
    const { code, out, err } = await command('apply', '-f', 'half.yaml');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('line 9, column 30, /targets/1/chekc: unknown field; is "check" meant?');
    expect(await declarations()).toEqual(before);
  });

  it('twice at once leaves what one of the two said', async () => {
    const names = Array.from({ length: 600 }, (_, n) => `t-${n}`).join(', ');
    await Promise.all([declare('one.yaml', fleet(names, 'one')), declare('two.yaml', fleet(names, 'two'))]);
    const both = await Promise.all([command('apply', '-f', 'one.yaml'), command('apply', '-f', 'two.yaml')]);
    expect(both.some(({ code }) => code === 0)).toBe(true);
    for (const { code, err } of both) if (code !== 0) expect(err).toContain('TCN_PRECONDITION_FAILED');
    expect([{ one: 600 }, { two: 600 }]).toContainEqual(await labels('t-'));
  });

  describe('with a crash in the middle', () => {
    /** What a try has declared is there for its repeat, which declares others. */
    let tries = 0;
    const prefix = () => `m${tries}-`;
    const fleetBy = (by: string) =>
      Array.from({ length: MANY }, (_, n) => ({
        ...{ name: `${prefix()}${n}`, kind: 'node', labels: { by } },
        check: { type: 'tcp', host: '127.0.0.1', port: 9, interval: '1h' },
      }));
    const recorded = async () =>
      (await tocsin.events('&type=io.tocsin.target.registered')).filter(({ subject }) =>
        subject.startsWith(`target/${prefix()}`),
      ).length;

    /** Applies, and calls `crash` as soon as the given part of the append is on its way. */
    async function applyAndAtPart(
      targets: ReturnType<typeof fleetBy>,
      part: number,
      crash: () => Promise<void>,
    ): Promise<number | undefined> {
      const spy = await spyOn(await tocsin.natsUrl(), 'tocsin.rpc.log.append-part');
      const applying = tocsin.call('POST', '/v1/apply', { targets }).then(
        ({ status }) => status,
        () => undefined,
      );
      await spy.seen(part + 1);
      await crash();
      spy.close();
      await tocsin.start();
      return applying;
    }

    it('of the registry has recorded nothing, or everything', async () => {
      tries += 1;
      const targets = fleetBy('apply');
      const crash = () => tocsin.kill9Service('subscription-registry');
      // Stopped, the recorder answers no part, so there is no second one when the registry dies.
      const recorder = tocsin.process('event-recorder').pid;
      process.kill(recorder, 'SIGSTOP');
      const applied = applyAndAtPart(targets, 0, async () => {
        await crash();
        process.kill(recorder, 'SIGCONT');
      });
      expect(await applied).toBeUndefined();
      expect([await recorded(), await labels(prefix())]).toEqual([0, {}]);

      await applyAndAtPart(targets, 2, crash);
      const count = await recorded();
      expect([0, MANY]).toContain(count);
      expect(await labels(prefix())).toEqual(count === 0 ? {} : { apply: MANY });
    });

    it('of the recorder is outlasted where it is soon back; else all of it is there or nothing, and none of it twice', async () => {
      const before = await labels(prefix());
      const targets = fleetBy('later');
      const status = await applyAndAtPart(targets, 1, () => tocsin.kill9Service('event-recorder'));
      // Out of time, where a busy machine starts no process in it.
      if (status !== 200) expect([503, 504]).toContain(status);
      expect(status === 200 ? [{ later: MANY }] : [{ later: MANY }, before]).toContainEqual(await labels(prefix()));
      expect((await tocsin.call('POST', '/v1/apply', { targets })).status).toBe(200);
      expect(await labels(prefix())).toEqual({ later: MANY });
      const types = await tocsin.events('&type=io.tocsin.target.*');
      const counts = new Map<string, number>();
      for (const { subject, type } of types) {
        if (subject.startsWith(`target/${prefix()}`) && type !== 'io.tocsin.target.fresh')
          counts.set(subject, (counts.get(subject) ?? 0) + 1);
      }
      // Registered, and updated where the crash before had recorded them: all of them the same.
      expect(new Set(counts.values()).size).toBe(1);
    });
  });

  it('leaves what the registry can make anew from the log, the same byte for byte', async () => {
    const { code, out, err } = await command('registry', 'rebuild', '--json');
    expect([code, err]).toEqual([0, '']);
    const { tables } = JSON.parse(out) as { tables: { table: string; rows: number; changed: boolean }[] };
    expect(tables.filter(({ changed }) => changed)).toEqual([]);
    expect(tables.find(({ table }) => table === 'target')?.rows).toBeGreaterThan(MANY);
    expect((await command('apply', '-f', 'cas.yaml', '--dry-run')).code).toBe(0);
  });
});
