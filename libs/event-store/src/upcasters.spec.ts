import type { RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { Upcasters, type Upcaster } from './upcasters.js';

const event: RecordedEvent = {
  ...{
    id: 'evt_1',
    source: 's',
    type: 'com.acme.moved',
    subject: 'a',
    time: '2026-01-01T00:00:00.000Z',
    extensions: {},
  },
  ...{ position: 1, version: 1, recordedAt: '2026-01-01T00:00:00.000Z', data: { n: 0 } },
};
const step = (from: string | undefined, to: string, type = event.type): Upcaster => ({
  ...{ type, from, to },
  upcast: ({ data }) => ({ n: (data as { n: number }).n + 1 }),
});

describe('Upcasters', () => {
  it('lift an event step by step to the newest schema', () => {
    const upcasters = new Upcasters([step('v2', 'v3'), step(undefined, 'v1'), step('v1', 'v2')]);
    expect(upcasters.apply(event)).toEqual({ ...event, dataschema: 'v3', data: { n: 3 } });
    expect(upcasters.apply({ ...event, dataschema: 'v2' })).toEqual({ ...event, dataschema: 'v3', data: { n: 1 } });
    expect(event.data).toEqual({ n: 0 });
  });

  it('leave alone what is newest, and other types', () => {
    const upcasters = new Upcasters([step(undefined, 'v1'), step(undefined, 'v1', 'com.acme.other')]);
    const newest = { ...event, dataschema: 'v1' };
    expect(upcasters.apply(newest)).toBe(newest);
    const foreign = { ...event, type: 'com.acme.foreign' };
    expect(upcasters.apply(foreign)).toBe(foreign);
  });

  it('refuse two steps from one version, and a circle', () => {
    expect(() => new Upcasters([step('v1', 'v2'), step('v1', 'v3')])).toThrow('two upcasters');
    expect(() => new Upcasters([step('v1', 'v2'), step('v2', 'v1')])).toThrow('circle');
  });
});
