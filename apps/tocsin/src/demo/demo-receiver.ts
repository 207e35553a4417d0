import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** A webhook as it arrived. */
export interface ReceivedWebhook {
  /** The headers a receiver of Tocsin looks at. */
  headers: Record<string, string>;
  event: { type: string; subject: string; position: number; episode?: string; data: Record<string, unknown> };
}

const SHOWN = ['content-type', 'user-agent', 'webhook-id', 'webhook-timestamp', 'webhook-signature', 'traceparent'];

/**
 * A receiver as a user would write it: takes POSTs on `/hook`, verifies each with the `standardwebhooks` package, answers 204, or 400 if
 * the signature is wrong. Beside that, `POST /nodes/<name>/<down|up>` moves the demo's nodes.
 */
export class DemoReceiver {
  readonly received: ReceivedWebhook[] = [];
  readonly #server: Server;
  #webhook: Webhook | undefined;
  #arrived = Promise.withResolvers<void>();

  constructor(private readonly onMove: (name: string, to: 'down' | 'up') => Promise<boolean>) {
    this.#server = createServer((request, response) => {
      this.#handle(request).then(
        (status) => response.writeHead(status).end(),
        () => response.writeHead(500).end(),
      );
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The signing secret of the subscription; without it nothing is accepted. */
  trust(secret: string): void {
    this.#webhook = new Webhook(secret);
  }

  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    await promise;
  }

  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  /**
   * The first verified webhook of a type about a subject.
   * @throws Error after `timeoutMs`
   */
  async next(type: string, subject: string, timeoutMs: number): Promise<ReceivedWebhook> {
    const { promise: late, resolve } = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => resolve('late'), timeoutMs);
    try {
      for (;;) {
        const found = this.received.find(({ event }) => event.type === type && event.subject === subject);
        if (found !== undefined) return found;
        if ((await Promise.race([this.#arrived.promise, late])) === 'late') {
          throw new Error(`no ${type} of ${subject} arrived within ${timeoutMs / 1000} s`);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #handle(request: IncomingMessage): Promise<number> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const [, area, name, to] = (request.url ?? '').split('/');
    if (request.method !== 'POST') return 405;
    if (area === 'nodes' && name !== undefined && (to === 'down' || to === 'up')) {
      return (await this.onMove(name, to)) ? 204 : 404;
    }
    return area === 'hook' ? this.#take(Buffer.concat(chunks).toString('utf8'), request) : 404;
  }

  #take(body: string, request: IncomingMessage): number {
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
    try {
      this.#webhook?.verify(body, headers);
    } catch {
      return 400;
    }
    if (this.#webhook === undefined) return 400;
    this.received.push({
      headers: Object.fromEntries(Object.entries(headers).filter(([header]) => SHOWN.includes(header))),
      event: JSON.parse(body) as ReceivedWebhook['event'],
    });
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
    return 204;
  }
}
