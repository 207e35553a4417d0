import { once } from 'node:events';
import { connect } from 'node:net';

/** Listens on a NATS server beside those the messages are meant for. */
export interface NatsSpy {
  /** Resolves when so many messages have begun to arrive. */
  seen(count: number): Promise<void>;
  close(): void;
}

/** Listens on one subject, in plain NATS: a test stands outside and knows no library of the inside. */
export async function spyOn(natsUrl: string, subject: string): Promise<NatsSpy> {
  const { hostname, port, username, password } = new URL(natsUrl);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const login = username === '' ? {} : { user: username, pass: password };
  socket.write(
    `CONNECT ${JSON.stringify({ ...login, verbose: false, headers: true })}\r\nSUB ${subject} 1\r\nPING\r\n`,
  );
  const waiting: { count: number; resolve: () => void }[] = [];
  const ready = Promise.withResolvers<void>();
  const begin = `MSG ${subject} 1 `;
  let tail = '';
  let seen = 0;
  socket.on('data', (chunk: Buffer) => {
    const text = tail + chunk.toString('latin1');
    if (text.includes('PONG\r\n')) ready.resolve();
    seen += text.split(begin).length - 1;
    for (const { count, resolve } of waiting) if (seen >= count) resolve();
    // What stands over two chunks is found with the next; what was counted is not counted again.
    const last = text.lastIndexOf(begin);
    tail = text.slice(Math.max(text.length - begin.length + 1, last + 1, 0));
  });
  socket.on('error', ready.reject);
  await ready.promise;
  return {
    seen: (count) =>
      new Promise((resolve) => {
        if (seen >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () => socket.destroy(),
  };
}
