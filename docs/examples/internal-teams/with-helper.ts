import { consumeEvents } from '@tocsin/client/consume';

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

await consumeEvents({
  servers: process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222',
  durable: 'billing-outages',
  types: ['io.tocsin.node.offline', 'io.tocsin.node.online'],
  from: 'start',
  signal: stopping.signal,
  onEvent: async (event) => {
    // The compiler knows the payload of these two types.
    await writeDown(event.position, `${event.data.target} is ${event.data.to}: ${event.data.reason}`);
  },
  onError: (error, event) =>
    process.stderr.write(`${event === undefined ? 'NATS' : event.position}: ${String(error)}\n`),
});

async function writeDown(position: number, line: string): Promise<void> {
  await new Promise((resolve) => process.stdout.write(`${position} ${line}\n`, resolve));
}
