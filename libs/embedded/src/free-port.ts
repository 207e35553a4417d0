import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range Linux (32768–60999) and macOS (49152–65535) give to outgoing connections, so that none of those takes the port
// between this look and the server's own bind.
const LOWEST = 15_000;
const HIGHEST = 32_000;
const ATTEMPTS = 50;

/** Given to somebody in this process, who may not listen on it yet. */
const given = new Set<number>();

/** A TCP port on 127.0.0.1 that was free a moment ago, another one each time. */
export async function freePort(): Promise<number> {
  if (given.size > (HIGHEST - LOWEST) / 2) given.clear();
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (given.has(port)) continue;
    given.add(port);
    if (await isPortFree(port)) return port;
  }
  return listenOnce(0);
}

/** Can a server listen on this port of 127.0.0.1 now? */
export async function isPortFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  );
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
