import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** A server that speaks bytes, not HTTP: what a receiver must not do is written out. */
export interface RawServer {
  port: number;
  /** Requests whose head arrived completely, as text, in order. */
  requests: string[];
  /** Connections accepted so far, and those still open. */
  accepted(): number;
  open(): number;
  close(): Promise<void>;
}

/** What to do when a request (head and body by its Content-Length) has arrived; `index` counts requests from 0. */
export type Answer = (socket: Socket, index: number) => void;

/** Listens on loopback; with `tls`, behind a handshake. `onConnection` replaces the reading of requests. */
export async function rawServer(
  answer: Answer,
  options: { tls?: TlsOptions; onConnection?: (socket: Socket) => void } = {},
): Promise<RawServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;
  const serve = (socket: Socket): void => {
    socket.on('error', () => undefined);
    if (options.onConnection !== undefined) options.onConnection(socket);
    else readRequests(socket, (text) => answer(socket, requests.push(text) - 1));
  };
  const server: Server = options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  server.on('tlsClientError', () => undefined);
  server.on('connection', (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    accepted: () => accepted,
    open: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function readRequests(socket: Socket, onRequest: (text: string) => void): void {
  let held = '';
  socket.on('data', (chunk) => {
    held += chunk.toString('latin1');
    for (;;) {
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/^content-length: (\d+)$/im.exec(held.slice(0, end))?.[1] ?? 0);
      if (held.length < end + 4 + length) return;
      const request = held.slice(0, end + 4 + length);
      held = held.slice(end + 4 + length);
      onRequest(request);
    }
  });
}

/** A whole response with a body and its length. */
export function response(status: string, body = '', headers: readonly string[] = []): string {
  return [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}
