import { freePort } from '@tocsin/embedded';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** How a fake node begins. */
export interface FakeNodeOptions {
  /** Port on 127.0.0.1, kept through every `down` and `up`; a free one if not given. */
  port?: number;
  /** Body of a healthy answer; default `ok`. */
  body?: string;
}

type Mode =
  | { is: 'up' }
  | { is: 'down' }
  | { is: 'hanging' }
  | { is: 'failing'; status: number }
  | { is: 'slow'; delayMs: number };

/** An HTTP target that can be taken down, hung, slowed and brought back, always on the same port. */
export class FakeNode {
  private mode: Mode = { is: 'up' };
  private server: Server | undefined;
  /** How many requests have come in so far, whatever was answered. */
  requests = 0;

  private constructor(
    readonly port: number,
    private readonly body: string,
  ) {}

  /** Starts a node that is up. */
  static async start(options: FakeNodeOptions = {}): Promise<FakeNode> {
    const node = new FakeNode(options.port ?? (await freePort()), options.body ?? 'ok');
    await node.listen();
    return node;
  }

  /** Address to probe. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/healthz`;
  }

  /** Answers 200 at once. */
  async up(): Promise<void> {
    await this.listen();
    this.mode = { is: 'up' };
  }

  /** Refuses connections, and cuts those it has, as a stopped machine's port does. */
  async down(): Promise<void> {
    this.mode = { is: 'down' };
    await this.unlisten();
  }

  /** Takes connections and requests and never answers. */
  async hang(): Promise<void> {
    await this.listen();
    this.mode = { is: 'hanging' };
  }

  /** Answers at once with this status. */
  async fail(status = 503): Promise<void> {
    await this.listen();
    this.mode = { is: 'failing', status };
  }

  /** Answers 200 after a while. */
  async slow(delayMs: number): Promise<void> {
    await this.listen();
    this.mode = { is: 'slow', delayMs };
  }

  async close(): Promise<void> {
    await this.unlisten();
  }

  private readonly answer = (_request: IncomingMessage, response: ServerResponse): void => {
    this.requests += 1;
    const mode = this.mode;
    if (mode.is === 'hanging') return;
    const send = () => response.writeHead(mode.is === 'failing' ? mode.status : 200).end(this.body);
    if (mode.is === 'slow') setTimeout(send, mode.delayMs).unref();
    else send();
  };

  private async listen(): Promise<void> {
    if (this.server !== undefined) return;
    const server = createServer(this.answer);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
  }

  private async unlisten(): Promise<void> {
    const server = this.server;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }
}
