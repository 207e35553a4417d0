import { consumeEvents } from './consume-events.js';

// A consumer to be killed: writes a line when it begins an event, with the time, one when it has handled it, and its role when that changes.
const [, , servers = '', durable = '', from = '1', handleMs = '0'] = process.argv;

process.stdout.write('ready\n');
await consumeEvents({
  servers,
  durable,
  from: { position: Number(from) },
  ackWaitMs: 1_000,
  signal: new AbortController().signal,
  onRole: (role) => process.stdout.write(`${role}\n`),
  onEvent: async ({ position, subject }) => {
    process.stdout.write(`begin ${position} ${subject} ${Date.now()}\n`);
    await new Promise((resolve) => setTimeout(resolve, Number(handleMs)));
    process.stdout.write(`end ${position} ${subject}\n`);
  },
});
