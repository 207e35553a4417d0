import { Receiver, TcpProxy } from '@tocsin/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Surroundings } from '../delivery.harness.js';

const SUBSCRIPTIONS = 16;
const TYPE = 'com.acme.cut';

let around: Surroundings;
let line: TcpProxy;
let receiver: Receiver;

beforeAll(async () => {
  around = await Surroundings.start();
  line = await TcpProxy.start({ targetPort: Number(new URL(around.natsUrl).port) });
  receiver = await Receiver.start();
});

afterAll(async () => {
  await line?.close();
  await receiver?.close();
  await around?.stop();
});

it('a replica that is cut off from NATS, but not from Postgres, gives its shards to one that is not', async () => {
  await around.spawnDelivery('cut off', { TOCSIN_NATS_URL: line.through(around.natsUrl) });
  await around.spawnDelivery('other');
  for (let n = 0; n < SUBSCRIPTIONS; n += 1) await around.subscribe(`s${n}`, receiver.url, { types: [TYPE] });
  await around.append([{ type: TYPE, subject: 'thing/1' }]);
  await receiver.waitFor(SUBSCRIPTIONS, 30_000);

  await line.refuse();
  await around.append([{ type: TYPE, subject: 'thing/1' }]);
  // By chance none of the shards was its own only if all sixteen are in the other's half.
  await receiver.waitFor(2 * SUBSCRIPTIONS, 60_000);

  await line.restore();
  await around.append([{ type: TYPE, subject: 'thing/1' }]);
  await receiver.waitFor(3 * SUBSCRIPTIONS, 30_000);
  const keys = receiver.requests.map(({ headers }) => String(headers['webhook-id']));
  expect(keys).toHaveLength(3 * SUBSCRIPTIONS);
  expect(new Set(keys).size).toBe(3);
}, 180_000);
