import { consumeEvents } from './consume-events.js';

// A consumer to be killed: writes a line when it begins an event, and one when it has handled it.
const [, , servers = '', durable = '', from = '1', handleMs = '0'] = process.argv;

process.stdout.write('ready\n');
await consumeEvents({
  servers,
  durable,
  from: { position: Number(from) },
  ackWaitMs: 1_000,
  signal: new AbortController().signal,
  onEvent: async ({ position, subject }) => {
    process.stdout.write(`begin ${position} ${subject}\n`);
    await new Promise((resolve) => setTimeout(resolve, Number(handleMs)));
    process.stdout.write(`end ${position} ${subject}\n`);
  },
});
