import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ExpressAdapter } from '@nestjs/platform-express';
import { listenError, TocsinError } from '@tocsin/domain';
import type { Application, Request, RequestHandler, Response } from 'express';
import { pathOf } from './path-of.js';
import { problemHeaders, toProblem } from '../errors/problem.js';
import { HttpMetrics } from '../telemetry/http-metrics.js';

/** A request must be whole within this time, in ms: slow senders hold no connection. Answers, such as streams, may take as long as they like. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the idle time of common load balancers (60 s): the side that may reuse a connection must not be the last to know it closed. */
const KEEP_ALIVE_MS = 65_000;
/** Requests under way at shutdown are given this long, in ms. */
const DRAIN_MS = 5_000;

/**
 * The HTTP server of a process, before and around Nest: it listens before anything else is started (so a taken port is noticed first,
 * and `/healthz` answers while migrations run), answers 503 until the application is ready, and at the end stops in good order.
 */
export class HttpFront {
  readonly adapter: ExpressAdapter;
  readonly #server: Server;
  /** Connections, each with the responses under way on it. One Set of all responses would keep them from being collected, see `InFlight`. */
  readonly #connections = new Map<Socket, Response[]>();
  readonly #metrics = new HttpMetrics();
  #open = false;
  #closing = false;

  constructor() {
    this.adapter = new BoundExpressAdapter(() => this.#server);
    const application = this.adapter.getInstance<Application>();
    // Entity tags are ours (`If-Match` is about versions of things), so Express must not make up its own.
    application.disable('x-powered-by').disable('etag');
    application.use(this.#track, this.#gate);
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
      application,
    );
    this.#server.on('connection', (socket) => {
      this.#connections.set(socket, []);
      socket.once('close', () => this.#connections.delete(socket));
    });
  }

  /**
   * @param port 0 for any free one
   * @returns the port it listens on
   * @throws TocsinError `TCN_PORT_IN_USE` naming host and port; `TCN_CONFIG` if the address cannot be listened on
   */
  async listen(host: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen({ host, port }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenError(error, { host, port, variable: 'TOCSIN_HTTP_PORT' });
    } finally {
      this.#server.off('error', reject);
    }
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on requests reach the application. */
  open(): void {
    this.#open = true;
  }

  /**
   * Takes no more connections, ends event streams, lets other requests finish for up to 5 s, then breaks what is left. Idempotent.
   */
  async close(): Promise<void> {
    if (this.#closing || !this.#server.listening) return;
    this.#closing = true;
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    // Browsers open connections ahead of need; Node does not count one on which nothing was ever sent as idle.
    for (const [socket, responses] of this.#connections) {
      if (socket.bytesRead === 0) socket.destroy();
      for (const response of responses) {
        if (isEventStream(response)) response.end();
        else if (!response.headersSent) response.setHeader('connection', 'close');
      }
    }
    const timer = setTimeout(() => this.#server.closeAllConnections(), DRAIN_MS);
    await closed;
    clearTimeout(timer);
  }

  readonly #track: RequestHandler = (request, response, next) => {
    this.#metrics.watch(request, response);
    const responses = this.#connections.get(request.socket) ?? [];
    responses.push(response);
    response.once('close', () => {
      responses.splice(responses.indexOf(response), 1);
      if (this.#closing) this.#server.closeIdleConnections();
    });
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('x-frame-options', 'DENY');
    next();
  };

  readonly #gate: RequestHandler = (request, response, next) => {
    if (this.#open && !this.#closing) next();
    else if (pathOf(request.url) === '/healthz') response.json({ status: 'ok' });
    else refuse(request, response, this.#closing ? 'this process is stopping' : 'this process is starting');
  };
}

/** Nest with a server that is already there. */
class BoundExpressAdapter extends ExpressAdapter {
  readonly #serverOf: () => Server;

  constructor(serverOf: () => Server) {
    super();
    this.#serverOf = serverOf;
  }

  override initHttpServer(): void {
    this.setHttpServer(this.#serverOf());
  }
}

function refuse(request: Request, response: Response, reason: string): void {
  const error = new TocsinError('TCN_UNAVAILABLE', reason, { retryAfterMs: 1_000 });
  const problem = toProblem(error, pathOf(request.url));
  response.writeHead(problem.status, { ...problemHeaders(error), connection: 'close' }).end(JSON.stringify(problem));
}

function isEventStream(response: Response): boolean {
  return response.headersSent && String(response.getHeader('content-type')).startsWith('text/event-stream');
}
