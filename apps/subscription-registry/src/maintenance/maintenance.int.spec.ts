import { MAINTENANCE_BUCKET } from '@tocsin/contracts';
import { eventually } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordedStage, startRecordedStage } from '../recorder-process.harness.js';

const WEEKLY = {
  start: '2026-01-04T02:00:00',
  rrule: 'FREQ=WEEKLY;BYDAY=SU',
  timeZone: 'Europe/Berlin',
  duration: '2h',
  selector: { site: 'fra' },
};

let registry: RecordedStage;

beforeAll(async () => {
  registry = await startRecordedStage();
});

afterAll(() => registry?.close());

const inBucket = async (name: string) => (await (await registry.broker.kv(MAINTENANCE_BUCKET)).get(name))?.value;

describe('maintenance windows', () => {
  it('are declared, replaced, read and removed, and stand in the observers’ bucket as they are', async () => {
    const created = await registry.call('PUT', '/v1/maintenance/weekly', WEEKLY);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ name: 'weekly', revision: 1, active: expect.any(Boolean), spec: WEEKLY });
    expect(Date.parse(created.body.next.end) - Date.parse(created.body.next.start)).toBe(7_200_000);
    expect(await inBucket('weekly')).toEqual({ name: 'weekly', revision: 1, spec: WEEKLY });
    expect((await registry.call('PUT', '/v1/maintenance/weekly', WEEKLY)).body.revision).toBe(1);

    const replaced = await registry.call(
      'PUT',
      '/v1/maintenance/weekly',
      { ...WEEKLY, duration: '3h' },
      { 'if-match': '"1"' },
    );
    expect([replaced.status, replaced.headers.get('etag')]).toEqual([200, '"2"']);
    expect(await inBucket('weekly')).toMatchObject({ revision: 2, spec: { duration: '3h' } });
    const late = await registry.call('DELETE', '/v1/maintenance/weekly', undefined, { 'if-match': '"1"' });
    expect(late.body.code).toBe('TCN_PRECONDITION_FAILED');

    await eventually(async () => (await registry.call('GET', '/v1/maintenance')).body.items.length === 1, {
      what: 'it is listed',
    });
    expect((await registry.call('DELETE', '/v1/maintenance/weekly')).status).toBe(204);
    expect(await inBucket('weekly')).toBeUndefined();
    expect((await registry.call('GET', '/v1/maintenance/weekly')).body.code).toBe('TCN_NOT_FOUND');
    expect((await registry.call('PUT', '/v1/maintenance/weekly', WEEKLY)).body.revision).toBe(4);
  });

  it('say where a body is wrong', async () => {
    const { status, body } = await registry.call('PUT', '/v1/maintenance/odd', { ...WEEKLY, rrule: 'FREQ=SECONDLY' });
    expect([status, body.code]).toEqual([422, 'TCN_INVALID']);
  });

  it('come back from the log when the bucket is lost with the broker’s store', async () => {
    const once = { start: '2030-01-01T00:00:00Z', end: '2030-01-01T02:00:00Z', selector: {} };
    expect((await registry.call('PUT', '/v1/maintenance/once', once)).status).toBe(201);
    await registry.servers.wipeNats();
    await eventually(async () => (await inBucket('once')) !== undefined, {
      what: 'the window is back',
      timeoutMs: 40_000,
    });
    expect(await inBucket('once')).toEqual({ name: 'once', revision: 1, spec: once });
  });
});
