import { freePort } from '@tocsin/embedded';
import { eventually, ProcessGroup, Receiver, type TestProcess } from '@tocsin/testing';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const COMMAND = resolve(import.meta.dirname, '../../apps/tocsin/dist/main.js');

describe('tocsin up', () => {
  let folder: string;
  let processes: ProcessGroup;
  let port: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tocsin-up-'));
    processes = new ProcessGroup();
    port = await freePort();
  });

  afterEach(async () => {
    await processes.kill9();
    await processes.expectNoLeftovers();
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  const start = (options: { ready: boolean; args?: string[] }): Promise<TestProcess> =>
    processes.spawn('tocsin up', process.execPath, [COMMAND, 'up', ...(options.args ?? [])], {
      cwd: folder,
      env: {
        TOCSIN_HTTP_PORT: String(port),
        TOCSIN_GRPC_PORT: '0',
        TOCSIN_API_KEY: undefined,
        TOCSIN_LOG_FORMAT: 'json',
        TOCSIN_LOG_LEVEL: 'info',
      },
      ...(options.ready ? { ready: { line: /^Ctrl-C ends it/ }, readyTimeoutMs: 60_000 } : {}),
    });

  const exists = (path: string) =>
    access(join(folder, path)).then(
      () => true,
      () => false,
    );

  it('that is told to end while it starts gives the start up, and leaves nothing behind', async () => {
    const child = await start({ ready: false });
    await eventually(() => exists('.tocsin/postgres/server.json'), { what: 'Postgres is starting', timeoutMs: 30_000 });
    const exit = await child.stop('SIGINT');
    expect(exit).toEqual({ code: 0, signal: null });
    expect(child.output).not.toContain('Tocsin is up');
    expect(child.output).not.toMatch(/^tocsin: /m);
    await processes.expectNoLeftovers();
  });

  it('that is told twice ends at once, and its servers after it', async () => {
    const child = await start({ ready: true });
    process.kill(child.pid, 'SIGINT');
    await child.waitForLine(/"msg":"stopping"/);
    // 128 + the number of the signal, as shells do.
    expect(await child.stop('SIGINT')).toEqual({ code: 130, signal: null });
    await processes.expectNoLeftovers();
  });

  it('shows the key to nobody where its output is collected, and keeps it in a file', async () => {
    const child = await start({ ready: true });
    const key = (await readFile(join(folder, '.tocsin/api-key'), 'utf8')).trim();
    expect(key).toMatch(/^tcn_/);
    expect(child.output).toContain('API key     (in .tocsin/api-key)');
    expect(child.output).not.toContain(key);
    expect(child.output).not.toContain('\u001b');
    expect((await child.stop('SIGTERM')).code).toBe(0);
  });

  it('says that the port is taken before it starts a server', async () => {
    const receiver = await Receiver.start({ port });
    const child = await start({ ready: false });
    expect((await child.exited).code).toBe(1);
    await receiver.close();
    expect(child.output.trim()).toMatch(new RegExp(`^tocsin: TCN_PORT_IN_USE: 127\\.0\\.0\\.1:${port} `));
    expect(await exists('.tocsin/postgres')).toBe(false);
  });

  it('that cannot apply its declarations says where, and leaves nothing behind', async () => {
    await writeFile(
      join(folder, 'fleet.yaml'),
      'version: 1\nsubscriptions:\n  - name: s\n    types: ["*"]\n    destination: { kind: webhook, url: "http://169.254.169.254/" }\n',
    );
    const child = await start({ ready: false, args: ['--file', 'fleet.yaml'] });
    expect((await child.exited).code).toBe(1);
    expect(child.output).toMatch(
      /^tocsin: TCN_EGRESS_BLOCKED: fleet\.yaml, line 5, column 35: \/subscriptions\/0\/destination\/url: /m,
    );
    await processes.expectNoLeftovers();
  });
});
