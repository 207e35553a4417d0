import { once } from 'node:events';
import { createServer, connect, type Server, type Socket } from 'node:net';

/** What a proxy stands before. */
export interface TcpProxyOptions {
  /** Port of the real server. */
  targetPort: number;
  /** Host of the real server; default 127.0.0.1. */
  targetHost?: string;
  /** Port on 127.0.0.1 to listen on, kept through `refuse` and `restore`; a free one if not given. */
  port?: number;
}

/** A TCP line that can be cut, stalled and refused. */
export class TcpProxy {
  private server: Server | undefined;
  private readonly lines = new Set<{ near: Socket; far: Socket }>();
  private stalled = false;
  private listenPort: number;
  /** How many connections have been made through it so far. */
  connections = 0;

  private constructor(private readonly options: TcpProxyOptions) {
    this.listenPort = options.port ?? 0;
  }

  static async start(options: TcpProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(options);
    await proxy.listen();
    return proxy;
  }

  get port(): number {
    return this.listenPort;
  }

  /** The same address, through this proxy: only host and port change. */
  through(url: string): string {
    // Not by URL's setters: those of a scheme it does not know (nats:, postgres:) are partly without effect.
    return url.replace(/^([a-z+]+:\/\/(?:[^/@]*@)?)[^/@?]+/, `$1127.0.0.1:${this.listenPort}`);
  }

  /** Connections that are open now. */
  get open(): number {
    return this.lines.size;
  }

  /** Breaks every open connection with a reset; new ones are taken. */
  cut(): void {
    for (const { near, far } of this.lines) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Keeps every connection, also new ones, but lets nothing pass, as a firewall that drops packets does. */
  stall(): void {
    this.stalled = true;
    for (const { near, far } of this.lines) {
      near.pause();
      far.pause();
    }
  }

  /** Cuts every connection and refuses new ones. */
  async refuse(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    if (server === undefined) return this.cut();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.cut();
    await closed;
  }

  /** Ends whatever fault there is; what was held back by a stall passes now. */
  async restore(): Promise<void> {
    this.stalled = false;
    for (const { near, far } of this.lines) {
      near.resume();
      far.resume();
    }
    await this.listen();
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  private async listen(): Promise<void> {
    if (this.server !== undefined) return;
    // Half-open lines are passed on as such: each side ends when it wants to.
    const server = createServer({ allowHalfOpen: true }, (near) => this.join(near));
    server.listen(this.listenPort, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.listenPort = address.port;
    this.server = server;
  }

  private join(near: Socket): void {
    this.connections += 1;
    const far = connect({
      port: this.options.targetPort,
      host: this.options.targetHost ?? '127.0.0.1',
      allowHalfOpen: true,
    });
    const line = { near, far };
    this.lines.add(line);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!this.stalled) from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => to.resetAndDestroy());
      from.on('close', () => {
        this.lines.delete(line);
        to.destroy();
      });
    }
    if (this.stalled) {
      near.pause();
      far.pause();
    }
  }
}
