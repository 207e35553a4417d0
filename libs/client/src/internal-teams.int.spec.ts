import { eventually, testFolder, type TestProcess } from '@tocsin/testing';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Log } from './consume.harness.js';

// What docs/internal-teams.md shows, as it stands there.
let log: Log;
let example: TestProcess | undefined;

beforeAll(async () => {
  log = await Log.start();
});

afterEach(async () => {
  await example?.kill9Tree();
});

afterAll(() => log?.stop());

/** Outages of `count` nodes, recorded as a producer would. */
function recordOutages(count: number): Promise<number[]> {
  const data = {
    target: 'edge-1',
    kind: 'node',
    labels: {},
    from: 'up',
    to: 'down',
    reason: 'connection refused',
    confidence: 'single',
    evidence: [],
    confirmedAt: '2026-05-01T10:00:00.000Z',
    detectionMs: 1_000,
  };
  const subjects = Array.from({ length: count }, (_, index) => `node/edge-${index % 4}`);
  return log.record(subjects, { type: 'io.tocsin.node.offline', data });
}

const printed = (): number[] =>
  [...(example?.output ?? '').matchAll(/^(\d+) /gm)].map(([, position]) => Number(position));
const untilPrinted = (last: number): Promise<true> =>
  eventually(() => printed().at(-1) === last, { what: `the example has come to ${last}`, timeoutMs: 30_000 });

describe('the examples for internal teams', () => {
  it('consume with the plain client: every outage once, in order, also when the broker loses its store', async () => {
    const before = await recordOutages(40);
    const state = join(await testFolder(), 'position.txt');
    example = await log.example('plain.ts', { NATS_URL: log.servers, DURABLE: 'plain', STATE: state });
    await untilPrinted(before.at(-1)!);
    await log.wipeBroker();
    const after = await recordOutages(40);
    await untilPrinted(after.at(-1)!);
    expect(printed()).toEqual([...before, ...after]);
  });

  it('consume with the helper', async () => {
    const more = await recordOutages(10);
    example = await log.example('with-helper.ts', { NATS_URL: log.servers });
    await eventually(() => printed().includes(more.at(-1)!), { what: 'it has come to the last', timeoutMs: 30_000 });
    expect(example.output).toContain(`${more[0]} edge-1 is down: connection refused`);
  });
});
