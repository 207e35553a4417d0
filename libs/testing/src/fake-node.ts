import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/**
 * Above what Linux gives to outgoing connections (32768–60999) and above what servers of tests take (15000–32000): a node that is down
 * does not listen, and whoever took its port meanwhile would keep it from coming back.
 */
const LOWEST_PORT = 61_000;
const HIGHEST_PORT = 65_535;

/** Begins anywhere: other processes have nodes, too. */
let nextPort = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));

/** How a fake node begins. */
export interface FakeNodeOptions {
  /** Body of a healthy answer; default `ok`. */
  body?: string;
}

type Mode =
  | { is: 'up' }
  | { is: 'down' }
  | { is: 'hanging' }
  | { is: 'failing'; status: number }
  | { is: 'slow'; delayMs: number };

/** An HTTP target that can be taken down, hung, slowed and brought back, always on the same port, which no other of this process has. */
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
    for (let tried = LOWEST_PORT; tried <= HIGHEST_PORT; tried += 1) {
      const node = new FakeNode(nextPort, options.body ?? 'ok');
      nextPort = nextPort === HIGHEST_PORT ? LOWEST_PORT : nextPort + 1;
      try {
        await node.listen();
        return node;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      }
    }
    throw new Error(`no port between ${LOWEST_PORT} and ${HIGHEST_PORT} is free`);
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
