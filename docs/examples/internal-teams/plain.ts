import { AckPolicy, DeliverPolicy, JetStreamApiError, jetstream, type Consumer } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const DURABLE = process.env['DURABLE'] ?? 'billing-outages';
const STATE = process.env['STATE'] ?? 'position.txt';
const CONSUMER_NOT_FOUND = 10014;

const { host, username, password } = new URL(process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222');
const connection = await connect({
  servers: host,
  ...(username === '' ? {} : { user: username, pass: password }),
  maxReconnectAttempts: -1,
});
const js = jetstream(connection);

// How far the work is done. Keep it where the work goes, written in the same transaction; a file stands for that here.
let done = Number(await readFile(STATE, 'utf8').catch(() => '0'));

async function durable(): Promise<Consumer> {
  try {
    return await js.consumers.get('EVENTS', DURABLE);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_NOT_FOUND) throw error;
    const manager = await js.jetstreamManager();
    await manager.consumers.add('EVENTS', {
      durable_name: DURABLE,
      filter_subjects: ['tocsin.events.*.offline.*', 'tocsin.events.*.online.*'],
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(30_000),
      max_ack_pending: 1, // one at a time: what fails is delivered again before anything younger
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: done + 1, // sequence ≡ position, also in a stream that was made anew
    });
    return js.consumers.get('EVENTS', DURABLE);
  }
}

for (;;) {
  try {
    const message = await (await durable()).next({ expires: 5_000 });
    if (message === null) continue;
    const event = message.json<{ position: number; type: string; subject: string }>();
    if (event.position > done) {
      process.stdout.write(`${event.position} ${event.type} ${event.subject}\n`); // your work
      done = event.position;
      await writeFile(STATE, String(done));
    }
    message.ack();
  } catch (error) {
    process.stderr.write(`${String(error)}; once more in a second\n`);
    await delay(1_000);
  }
}
