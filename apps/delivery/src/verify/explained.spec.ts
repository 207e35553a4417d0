import type { RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { Explained } from './explained.js';
import type { MatchedPart } from './matched-log.js';

function withheld(type: string, mark: string): RecordedEvent {
  return {
    ...{ id: 'evt_1', source: 'tocsin/health-probe', type, subject: 'certificate/a', position: 1, version: 1 },
    ...{ time: '2030-01-01T00:00:00.000Z', recordedAt: '2030-01-01T00:00:00.000Z' },
    ...{ extensions: { withheld: mark }, data: { target: 'a' } },
  };
}

async function verdictOn(event: RecordedEvent) {
  const explained = new Explained({ query: () => Promise.resolve([]) }, () => Promise.resolve(1));
  explained.take({ events: [event] } as unknown as MatchedPart);
  return explained.verdict();
}

describe('what was kept back', () => {
  it('says what is known instead where it is a change of state, and why it was in any case', async () => {
    expect(await verdictOn(withheld('io.tocsin.certificate.changed', 'first'))).toMatchObject({ ok: true });
    expect(await verdictOn(withheld('io.tocsin.certificate.changed', ''))).toMatchObject({ ok: false });
    expect(await verdictOn(withheld('io.tocsin.node.offline', 'maintenance'))).toMatchObject({ ok: false });
  });
});
