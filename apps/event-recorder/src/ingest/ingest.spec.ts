import type { Appended, AppendRequest } from '@tocsin/contracts';
import { type EventToAppend, TocsinError } from '@tocsin/domain';
import { systemClock } from '@tocsin/platform';
import { describe, expect, it } from 'vitest';
import { AppendGate } from '../append/append-gate.js';
import { Ingest } from './ingest.js';

const SENT = { specversion: '1.0', id: 'a', source: 'urn:s', type: 'com.acme.a', data: 1 };
const RECORDED: EventToAppend = {
  id: 'a',
  source: 'urn:s',
  type: 'com.acme.a',
  subject: 'urn:s',
  time: '2020-01-01T00:00:00.000Z',
  extensions: { traceparent: 'first' },
  data: 1,
};

function ingestOver(append: (request: AppendRequest) => Appended[]) {
  const requests: AppendRequest[] = [];
  const ingest = new Ingest(
    {
      append: async (request) => {
        requests.push(request);
        return append(request);
      },
    },
    async (source, id) => (source === RECORDED.source && id === RECORDED.id ? RECORDED : undefined),
    new AppendGate({ events: 100, bytes: 1e6 }, systemClock),
    systemClock,
  );
  return { ingest, requests };
}

const reused = (): never => {
  throw new TocsinError('TCN_KEY_REUSED', 'other content');
};

describe('Ingest', () => {
  it('takes over time and trace context of the first, where a repeat left them open', async () => {
    const answer: Appended[] = [{ id: 'a', position: 1, version: 1, recordedAt: '', repeated: true }];
    const { ingest, requests } = ingestOver(({ events }) => (events[0]?.time === RECORDED.time ? answer : reused()));
    expect(await ingest.append({ mode: 'structured', events: [SENT] }, {})).toEqual(answer);
    expect(requests[1]?.events[0]).toEqual(RECORDED);
  });

  it('leaves what the producer stated as it is: other content stays an error', async () => {
    const stated = { ...SENT, time: '2021-01-01T00:00:00Z', traceparent: 'own' };
    const { ingest, requests } = ingestOver(reused);
    await expect(ingest.append({ mode: 'structured', events: [stated] }, {})).rejects.toMatchObject({
      code: 'TCN_KEY_REUSED',
    });
    expect(requests).toHaveLength(1);
  });

  it('points into what was sent, not into the request it made of it', async () => {
    const refuse = (): never => {
      throw new TocsinError('TCN_INVALID', 'no', { faults: [{ pointer: '/events/0/source', detail: 'too long' }] });
    };
    const pointers = async (mode: 'structured' | 'batch'): Promise<string | undefined> => {
      const thrown = await ingestOver(refuse)
        .ingest.append({ mode, events: [SENT] }, {})
        .catch((error: unknown) => error);
      return thrown instanceof TocsinError ? thrown.faults[0]?.pointer : undefined;
    };
    expect(await pointers('structured')).toBe('/source');
    expect(await pointers('batch')).toBe('/0/source');
  });
});
