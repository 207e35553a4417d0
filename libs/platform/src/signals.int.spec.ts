import { afterEach, describe, expect, it } from 'vitest';
import { cleanUp, run, SERVICE, urlOf } from './child-process.fixture.js';

afterEach(cleanUp);

describe('stopOnSignals', () => {
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
