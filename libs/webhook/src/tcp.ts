import { connect as connectTcp, type Socket } from 'node:net';

/** A further address is tried beside a slow one after this time (RFC 8305 § 5), milliseconds. */
const NEXT_ADDRESS_MS = 250;

/** Connects to the first address that answers: one after the other, the next one also when the one before is slow. */
export function connectFirst(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<{ socket: Socket; address: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Socket; address: string }>();
  const waiting = [...addresses];
  const trying = new Set<Socket>();
  let firstError: unknown;
  let timer: NodeJS.Timeout | undefined;

  const finish = (settle: () => void, kept?: Socket): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    for (const socket of trying) if (socket !== kept) socket.destroy();
    trying.clear();
    settle();
  };
  const onAbort = (): void => finish(() => reject(signal.reason));
  const tryNext = (): void => {
    clearTimeout(timer);
    const address = waiting.shift();
    if (address === undefined) {
      if (trying.size === 0) finish(() => reject(firstError));
      return;
    }
    const socket = connectTcp({ host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
    trying.add(socket);
    socket.once('connect', () => {
      // A loser that connects in the same tick as the winner was destroyed there, and is no longer in the set.
      if (trying.has(socket)) finish(() => resolve({ socket, address }), socket);
    });
    // Stays for the socket's life: an error without a listener would end the process.
    socket.on('error', (error) => {
      if (!trying.delete(socket)) return;
      firstError ??= error;
      tryNext();
    });
    if (waiting.length > 0) timer = setTimeout(tryNext, NEXT_ADDRESS_MS);
  };

  signal.addEventListener('abort', onAbort, { once: true });
  tryNext();
  return promise;
}
