import { createLogger } from '@tocsin/platform';
import { describe, expect, it } from 'vitest';
import { KeptServer, type Server } from './kept-server.js';

const logger = createLogger({ name: 'test', level: 'silent', format: 'json' });

/** A server that ends when it is told. */
class FakeServer implements Server {
  readonly url = 'fake://';
  readonly #end = Promise.withResolvers<void>();
  stopped = false;

  constructor(readonly port: number) {}

  get exited(): Promise<void> {
    return this.#end.promise;
  }

  crash(): void {
    this.#end.resolve();
  }

  failToEnd(): void {
    this.#end.reject(new Error('its folder cannot be cleared'));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.#end.resolve();
  }
}

/** Starts servers one after the other, each when it is let. */
class Starter {
  readonly servers: FakeServer[] = [];
  readonly ports: (number | undefined)[] = [];
  readonly #asked: (() => void)[] = [];
  hold: Promise<void> | undefined;
  failures = 0;

  readonly start = async (port?: number): Promise<Server> => {
    this.ports.push(port);
    for (const asked of this.#asked.splice(0)) asked();
    await this.hold;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('it does not start');
    }
    const server = new FakeServer(port ?? 4242);
    this.servers.push(server);
    return server;
  };

  nextStart(): Promise<void> {
    return new Promise((resolve) => this.#asked.push(resolve));
  }
}

describe('a server that is kept', () => {
  it('is started again on the same port when it ends by itself', async () => {
    const starter = new Starter();
    const kept = await KeptServer.start('fake', starter.start, logger);
    const again = starter.nextStart();
    starter.servers[0]!.crash();
    await again;
    expect(starter.ports).toEqual([undefined, 4242]);
    await kept.stop();
    expect(starter.servers.at(-1)!.stopped).toBe(true);
  });

  it('is started again also where its end was not in order, and until it starts', async () => {
    const starter = new Starter();
    const kept = await KeptServer.start('fake', starter.start, logger);
    starter.failures = 1;
    const first = starter.nextStart();
    starter.servers[0]!.failToEnd();
    await first;
    await starter.nextStart();
    expect(starter.ports).toEqual([undefined, 4242, 4242]);
    await kept.stop();
  });

  it('is not started again when it was stopped', async () => {
    const starter = new Starter();
    const kept = await KeptServer.start('fake', starter.start, logger);
    await kept.stop();
    expect(starter.ports).toHaveLength(1);
  });

  it('that is just being started again is stopped before stop settles', async () => {
    const starter = new Starter();
    const kept = await KeptServer.start('fake', starter.start, logger);
    const gate = Promise.withResolvers<void>();
    starter.hold = gate.promise;
    const again = starter.nextStart();
    starter.servers[0]!.crash();
    await again;
    const stopping = kept.stop();
    gate.resolve();
    await stopping;
    expect(starter.servers).toHaveLength(2);
    expect(starter.servers[1]!.stopped).toBe(true);
  });

  it('that waits for its next try is stopped at once', async () => {
    const starter = new Starter();
    const kept = await KeptServer.start('fake', starter.start, logger);
    starter.failures = 100;
    // After some failures it waits for seconds.
    starter.servers[0]!.crash();
    for (let n = 0; n < 3; n += 1) await starter.nextStart();
    const since = performance.now();
    await kept.stop();
    expect(performance.now() - since).toBeLessThan(300);
  });
});
