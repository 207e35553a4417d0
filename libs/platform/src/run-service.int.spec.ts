import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '@tocsin/embedded';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanUp, run } from './child-process.fixture.js';

afterEach(cleanUp);

describe('runService', () => {
  const program = `
    import { Module } from '@nestjs/common';
    import { commonFields, defineConfig, required, runService } from '@tocsin/platform';
    const { TOCSIN_POSTGRES_URL, TOCSIN_API_KEY, ...fields } = commonFields;
    await runService({
      name: 'probe',
      config: defineConfig({ ...fields, TOCSIN_API_KEY: required(TOCSIN_API_KEY) }),
      register: ({ context }) => {
        context.readiness.register('self', () => 'warming up');
        class Service {}
        Module({})(Service);
        return { module: Service };
      },
    });`;

  it('names what is wrong with the configuration in one line, and exits with 1', async () => {
    const child = run(program, { TOCSIN_HTTP_PORT: 'secret', TOCSIN_API_KEY: 'x'.repeat(32) });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.output()).toBe(
      'probe: TCN_CONFIG: TOCSIN_HTTP_PORT: must be a port number, 0 to 65535; TOCSIN_NATS_URL: is not set\n',
    );
  });

  it('names in one line what it cannot reach, without the password', async () => {
    const child = run(program, {
      TOCSIN_API_KEY: 'x'.repeat(32),
      TOCSIN_NATS_URL: 'nats://user:secret@127.0.0.1:9',
    });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.output()).toMatch(/^probe: TCN_NATS_UNREACHABLE: .*127\.0\.0\.1:9.*\n$/);
    expect(child.output()).not.toContain('secret');
  });

  it('connects, listens, says whether it is ready, warns of slips of the pen, and stops', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-run-service-'));
    const nats = await startNats({ dataDir: folder });
    try {
      const child = run(program, {
        TOCSIN_API_KEY: 'x'.repeat(32),
        TOCSIN_NATS_URL: nats.url,
        TOCSIN_HTTP_PORT: '0',
        TOCSIN_LOG_LEVL: 'debug',
      });
      const url = (await child.line(/"url":"([^"]*)"/))[1] ?? '';
      const ready = await fetch(`${url}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toEqual({ status: 'not ready', checks: { nats: 'ok', self: 'warming up' } });
      child.process.kill('SIGTERM');
      expect(await child.exited).toEqual({ code: 0, signal: null });
      expect(child.output()).toContain(
        'TOCSIN_LOG_LEVL is not a variable of this process; did you mean TOCSIN_LOG_LEVEL?',
      );
    } finally {
      await nats.stop();
      await rm(folder, { recursive: true });
    }
  });
});
