import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type NatsServer, startNats } from '@tocsin/embedded';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bodyOf,
  call,
  eventually,
  post,
  type Recorder,
  type Servers,
  startRecorder,
  startServers,
} from '../recorder.harness.js';

let servers: Servers;
let nats: NatsServer;
let recorder: Recorder;
let recorded = 0;

beforeAll(async () => {
  servers = await startServers();
  nats = servers.nats;
  recorder = await startRecorder(servers);
  await eventually(async () => (await call(recorder.url, '/readyz')).ok);
});

afterAll(async () => {
  await recorder?.close();
  await nats?.stop();
  await servers?.stop();
});

/** Records `count` events, one request each; every one must be accepted. Returns the longest answer in milliseconds. */
async function record(count: number): Promise<number> {
  let longestMs = 0;
  for (let index = 0; index < count; index += 1) {
    const startedMs = performance.now();
    const response = await post(recorder.url, {
      specversion: '1.0',
      id: randomUUID(),
      source: 'urn:relay',
      type: 'com.acme.relay',
    });
    longestMs = Math.max(longestMs, performance.now() - startedMs);
    expect(response.status).toBe(201);
    recorded = (await bodyOf(response)).events[0]!.position;
  }
  return longestMs;
}

interface JetStreamReport {
  account_details?: { stream_detail?: { name: string; state: { last_seq: number } }[] }[];
}

/** Last sequence of the stream, as the server's own monitoring tells it. */
async function lastSequence(): Promise<number> {
  const response = await fetch(`${nats.monitorUrl}/jsz?streams=true&accounts=true`);
  const { account_details: accounts = [] } = (await response.json()) as JetStreamReport;
  const streams = accounts.flatMap(({ stream_detail: details = [] }) => details);
  return streams.find(({ name }) => name === 'EVENTS')?.state.last_seq ?? 0;
}

const inStep = async (): Promise<boolean> => (await lastSequence()) === recorded;

describe('relay', () => {
  it('copies every recorded event: sequence is position', async () => {
    await record(20);
    await eventually(inStep);
  });

  it('recording goes on without NATS, readiness says what is missing, and the stream catches up afterwards', async () => {
    const { port } = nats;
    nats.kill9();
    await nats.exited;
    expect(await record(50)).toBeLessThan(1_000);
    await eventually(async () => {
      const readiness = await bodyOf(await call(recorder.url, '/readyz'));
      return readiness.status === 'not ready' && /behind the log/.test(readiness.checks['relay'] ?? '');
    });
    expect(await record(5)).toBeLessThan(1_000);
    nats = await startNats({ dataDir: join(servers.dataDir, 'nats'), port });
    await eventually(inStep);
    await eventually(async () => (await call(recorder.url, '/readyz')).ok);
  });

  it('fills a wiped broker again from the log', async () => {
    const { port } = nats;
    await nats.stop();
    await record(10);
    await rm(join(servers.dataDir, 'nats', 'jetstream'), { recursive: true, force: true });
    nats = await startNats({ dataDir: join(servers.dataDir, 'nats'), port });
    await eventually(inStep);
    await record(10);
    await eventually(inStep);
  });
});
