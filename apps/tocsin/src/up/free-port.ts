import { TocsinError } from '@tocsin/domain';
import { createServer } from 'node:net';

/**
 * Looks whether a port can be listened on, and lets it go again. Anything else that would keep a server from listening shows itself when
 * one does.
 * @param variable names the port in the environment; 0 = any that is free
 * @throws TocsinError `TCN_PORT_IN_USE` naming host, port and variable
 */
export function requireFreePort(
  host: string,
  port: number,
  variable: 'TOCSIN_HTTP_PORT' | 'TOCSIN_GRPC_PORT',
): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return resolve();
      const detail = `${host}:${port} is already in use; ${variable} chooses another port`;
      reject(new TocsinError('TCN_PORT_IN_USE', detail, { cause: error }));
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}
