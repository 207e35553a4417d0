import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';

/** TLS over an open connection, for HTTP/1.1 or what the port is for; the certificate is checked against `host`. */
export function handshake(
  tcp: Socket,
  host: string,
  secureContext: SecureContext,
  signal: AbortSignal,
  http: boolean,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connectTls({
    socket: tcp,
    host,
    // SNI takes names only (RFC 6066 § 3); the certificate of a literal is checked against `host`.
    servername: isIP(host) === 0 ? host : '',
    ...(http ? { ALPNProtocols: ['http/1.1'] } : {}),
    secureContext,
  });
  const onAbort = (): void => {
    socket.destroy();
    reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('secureConnect', () => {
    signal.removeEventListener('abort', onAbort);
    resolve(socket);
  });
  socket.on('error', reject);
  // A peer that closes in the middle of the handshake says so by `close` alone in some versions of TLS.
  socket.once('close', () =>
    reject(Object.assign(new Error('the connection closed during the TLS handshake'), { code: 'ECONNRESET' })),
  );
  return promise;
}
