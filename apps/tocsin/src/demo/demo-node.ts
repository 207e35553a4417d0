import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A node of the demo's fleet: answers `GET /healthz` on a port of its own, and refuses connections while it is down. */
export class DemoNode {
  #server: Server | undefined;
  #port = 0;

  constructor(readonly name: string) {}

  /** Where its health is asked. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/healthz`;
  }

  /** Starts answering, after the first time on the same port. */
  async up(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((_request, response) => response.end('ok\n'));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(this.#port, '127.0.0.1', resolve);
    await promise;
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Stops answering: connections are refused from now on, those open are cut. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  }
}
