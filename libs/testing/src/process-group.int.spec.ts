import { freePort } from '@tocsin/embedded';
import { afterEach, describe, expect, it } from 'vitest';
import { ProcessGroup } from './process-group.js';

const group = new ProcessGroup();

afterEach(() => group.kill9());

const node = (name: string, program: string, options = {}) =>
  group.spawn(name, process.execPath, ['-e', program], options);

// A parent with a child that has left its process group, as servers do.
const FAMILY = `
  const { spawn } = require('node:child_process');
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'inherit' });
  console.log('child ' + child.pid);
  setInterval(() => {}, 1000);
`;

describe('ProcessGroup', () => {
  it('waits for an address to answer 2xx', async () => {
    const port = await freePort();
    const started = performance.now();
    await node(
      'server',
      `let n = 0; setTimeout(() => require('node:http').createServer((q, r) => r.writeHead(n++ === 0 ? 503 : 200).end()).listen(${port}, '127.0.0.1'), 200)`,
      { ready: { url: `http://127.0.0.1:${port}/` } },
    );
    expect(performance.now() - started).toBeGreaterThan(200);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  });

  it('waits for a line, and keeps what was written on both outputs', async () => {
    const child = await node(
      'talker',
      `console.error('wrong'); console.log('ready on 7'); setInterval(() => {}, 1000)`,
      {
        ready: { line: /^ready on (\d+)$/ },
      },
    );
    expect((await child.waitForLine(/ready on (\d+)/))[1]).toBe('7');
    expect(child.output.split('\n').sort()).toEqual(['', 'ready on 7', 'wrong']);
  });

  it('fails at once, with the output, when the process ends before it is ready', async () => {
    const started = performance.now();
    await expect(
      node('broken', `console.error('no such database'); process.exit(3)`, { ready: { url: 'http://127.0.0.1:9/' } }),
    ).rejects.toThrow(/^broken: it has ended with exit code 3\nIts output:\nno such database/);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('fails after a while where the line does not come', async () => {
    const silent = await node('silent', 'setInterval(() => {}, 1000)');
    await expect(silent.waitForLine(/ready/, 50)).rejects.toThrow('silent: no line like /ready/ within 50 ms');
  });

  it('fails where the program cannot be started', async () => {
    await expect(group.spawn('missing', '/nonexistent/program', [], { ready: { line: /./ } })).rejects.toThrow(
      'ENOENT',
    );
  });

  it('gives and takes away environment variables', async () => {
    process.env['TOCSIN_TEST_GIVEN'] = 'from outside';
    const child = await node(
      'env',
      `console.log(JSON.stringify([process.env.A, process.env.TOCSIN_TEST_GIVEN ?? null]))`,
      {
        env: { A: 'one', TOCSIN_TEST_GIVEN: undefined },
      },
    );
    delete process.env['TOCSIN_TEST_GIVEN'];
    await child.waitForLine(/^\["one",null\]$/);
  });

  it('stops gently and tells how it ended', async () => {
    const child = await node(
      'polite',
      `process.on('SIGTERM', () => process.exit(7)); console.log('up'); setInterval(() => {}, 1000)`,
      {
        ready: { line: /up/ },
      },
    );
    expect(await child.stop()).toEqual({ code: 7, signal: null });
    expect(child.running).toBe(false);
  });

  it('kills what does not stop, and says so', async () => {
    const child = await node(
      'deaf',
      `process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)`,
      {
        ready: { line: /up/ },
      },
    );
    await expect(child.stop('SIGTERM', 200)).rejects.toThrow('deaf: it did not end within 200 ms of SIGTERM');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('finds what a killed process has left behind, and kills the whole tree', async () => {
    const parent = await node('parent', FAMILY, { ready: { line: /^child \d+$/ } });
    const childPid = Number((await parent.waitForLine(/child (\d+)/))[1]);
    await parent.kill9();
    await expect(group.expectNoLeftovers(300)).rejects.toThrow(String(childPid));
    await parent.kill9Tree();
    await group.expectNoLeftovers();
    expect(await parent.leftovers()).toEqual([]);
  });
});
