import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, eventually, post, type Stage, startStage } from '../recorder.harness.js';
import type { VerifyLine } from './log-verifier.js';

let recorder: Stage;
let database: Database;

beforeAll(async () => {
  recorder = await startStage();
  database = await Database.open({
    schema: 'spec',
    migrations: [],
    url: recorder.servers.postgres.url,
    applicationName: 'spec',
  });
  for (let batch = 0; batch < 5; batch += 1) {
    const events = Array.from({ length: 1000 }, (_, n) => ({
      specversion: '1.0',
      id: randomUUID(),
      source: 'urn:verify',
      type: 'com.acme.verify',
      subject: `svc/${n % 7}`,
      data: { n },
    }));
    expect((await post(recorder.url, events)).status).toBe(201);
  }
});

afterAll(async () => {
  await database?.close();
  await recorder?.close();
});

async function verify(): Promise<VerifyLine[]> {
  const response = await call(recorder.url, '/v1/log/verify');
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const lines = (await response.text()).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as VerifyLine);
}

/** Changes the log behind its back, as only the owner of the database can. */
async function tamper(sql: string): Promise<void> {
  const [partition] = await database.query<{ name: string }>(
    'SELECT tableoid::regclass::text AS name FROM log.event LIMIT 1',
  );
  await database.query(`ALTER TABLE ${partition!.name} DISABLE TRIGGER USER`);
  await database.query(sql.replaceAll('EVENTS', partition!.name));
}

describe('GET /v1/log/verify', () => {
  it('tells how far it has come, page by page, and that the log is whole', async () => {
    await eventually(
      async () => ((await verify()).at(-1) as { relay?: { position: number } }).relay?.position === 5000,
    );
    const lines = await verify();
    const positions = lines.flatMap((line) => ('position' in line ? [line.position] : []));
    expect(positions.length).toBeGreaterThan(2);
    expect(positions.at(-1)).toBe(5000);
    const stream = { first: 1, last: 5000 };
    expect(lines.at(-1)).toMatchObject({ done: true, ok: true, first: 1, head: 5000, findings: 0, stream });
    const compared = lines.flatMap((line) => ('of' in line ? [line.position] : []));
    expect(compared).toEqual([2000, 4000, 5000]);
  });

  it('lets one caller at a time prove it', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const response = await call(recorder.url, '/v1/log/verify');
        await response.text();
        return response.status;
      }),
    );
    expect(statuses).toContain(200);
    expect(statuses).toContain(429);
    expect((await verify()).at(-1)).toMatchObject({ done: true, ok: true });
  });

  it('finds what was changed behind its back, and where', async () => {
    await tamper(`UPDATE EVENTS SET data = '{"n":-1}' WHERE position = 1234`);
    await tamper(`DELETE FROM EVENTS WHERE position = 4321`);
    for (const [from, to] of [
      [2001, 6001],
      [3001, 2001],
      [6001, 3001],
    ])
      // prettier-ignore
      await tamper(`UPDATE EVENTS SET position = ${to} WHERE position = ${from}`);
    const lines = await verify();
    expect(lines.at(-1)).toMatchObject({ done: true, ok: false });
    const findings = lines.flatMap((line) => ('position' in line ? line.findings : []));
    const found = (kind: string): (number | undefined)[] =>
      findings.filter((finding) => finding.kind === kind).map(({ position }) => position);
    expect(found('hash')).toEqual([1234, 2001, 3001]);
    expect(found('gap')).toEqual([4321]);
    // The relayed copy is what was recorded: it tells what was changed, and still has what is gone.
    expect(found('stream-differs')).toEqual([1234, 2001, 3001]);
    expect(found('stream-only')).toEqual([4321]);
    const [changed] = findings.filter(({ kind }) => kind === 'stream-differs');
    expect(changed?.detail).toBe('message 1234 of the stream differs from event 1234 of the log in data');
  });

  it('finds what somebody else put into the stream', async () => {
    const { host, username, password } = new URL(recorder.servers.nats.url);
    const nats = await connect({ servers: host, user: username, pass: password });
    const publish = (subject: string, text: string) => jetstream(nats).publish(subject, text);
    await publish('tocsin.events.com.acme.verify.0', 'not even JSON');
    const forged = { specversion: '1.0', id: 'forged', source: 'urn:forger', type: 'com.acme.verify', position: 5002 };
    await publish('tocsin.events.com.acme.verify.1', JSON.stringify(forged));
    await nats.close();
    const findings = (await verify()).flatMap((line) => ('of' in line ? line.findings : []));
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'stream-foreign', position: 5001 }));
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'stream-only', position: 5002 }));
  });

  it('proves the log without NATS, and says that there was nothing to compare', async () => {
    recorder.servers.nats.kill9();
    await recorder.servers.nats.exited;
    const last = (await verify()).at(-1);
    expect(last).toMatchObject({ done: true, ok: false, head: 5000, stream: { skipped: expect.any(String) } });
  });

  it('is for admins', async () => {
    expect((await fetch(`${recorder.url}/v1/log/verify`)).status).toBe(401);
  });
});
