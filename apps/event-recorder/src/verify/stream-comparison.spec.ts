import type { ReadQuery } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { eventSubject, type StreamEntry } from '@tocsin/jetstream';
import { describe, expect, it } from 'vitest';
import { compareStream, type StreamFinding } from './stream-comparison.js';

function eventAt(position: number): RecordedEvent {
  return {
    id: `e${position}`,
    source: 'urn:spec',
    type: 'com.acme.spec',
    subject: `svc/${position % 7}`,
    time: '2030-01-01T00:00:00.000Z',
    position,
    version: position,
    recordedAt: '2030-01-01T00:00:01.000Z',
    extensions: { episode: 'ep_1' },
    data: { n: position, list: [1, { a: null }] },
  };
}

const COUNT = 1_500;
const recorded = Array.from({ length: COUNT }, (_, index) => eventAt(index + 1));
const entryOf = (event: RecordedEvent): StreamEntry => ({
  sequence: event.position,
  subject: eventSubject(event),
  event: structuredClone(event),
});

/** Compares a log and a stream of the same events after `change` has been at them. */
async function found(
  change: (stream: StreamEntry[], log: RecordedEvent[]) => { stream?: StreamEntry[]; log?: RecordedEvent[] },
  options: { first?: number; firstNow?: number; last?: number } = {},
): Promise<StreamFinding[]> {
  const { first = 1, last = COUNT } = options;
  const whole = recorded.slice(first - 1, last).map(entryOf);
  const { stream = whole, log = recorded } = change(whole, [...recorded]);
  async function* entries(): AsyncGenerator<StreamEntry> {
    yield* stream;
  }
  const read = async ({ after = 0, limit }: ReadQuery) => {
    const events = log.filter(({ position }) => position > after).slice(0, limit);
    return { events, next: events.at(-1)?.position ?? after, head: COUNT };
  };
  const findings: StreamFinding[] = [];
  const positions: number[] = [];
  const steps = compareStream({
    window: { first, last },
    entries: entries(),
    log: { read },
    first: async () => options.firstNow ?? first,
  });
  for await (const step of steps) {
    findings.push(...step.findings);
    positions.push(step.position);
  }
  expect(positions.at(-1)).toBe(last);
  return findings;
}

const places = (findings: StreamFinding[]): [string, number][] =>
  findings.map(({ kind, position }) => [kind, position]);

describe('compareStream', () => {
  it('finds nothing where the stream holds the log, whole or its end', async () => {
    expect(await found(() => ({}))).toEqual([]);
    expect(await found(() => ({}), { first: 1_321 })).toEqual([]);
    expect(await found(() => ({}), { first: COUNT + 1 })).toEqual([]);
  });

  it.each<[string, (event: RecordedEvent) => void]>([
    ['data', (event) => (event.data = { n: 1_234, list: [1, { a: 0 }] })],
    ['data', (event) => delete event.data],
    ['id', (event) => (event.id = 'other')],
    ['source', (event) => (event.source = 'urn:other')],
    ['time', (event) => (event.time = '2030-01-01T00:00:00.001Z')],
    ['version', (event) => (event.version += 1)],
    ['recordedAt', (event) => (event.recordedAt = '2030-01-01T00:00:01.001Z')],
    ['extensions', (event) => (event.extensions['episode'] = 'ep_2')],
    ['datacontenttype', (event) => (event.datacontenttype = 'text/plain')],
  ])('names what differs: %s', async (name, change) => {
    const findings = await found((stream) => {
      change(stream[1_233]!.event!);
      return { stream };
    });
    expect(findings).toEqual([
      {
        kind: 'stream-differs',
        position: 1_234,
        subject: 'svc/2',
        detail: `message 1234 of the stream differs from event 1234 of the log in ${name}`,
      },
    ]);
  });

  it('finds a message under another subject, which filters would miss', async () => {
    const findings = await found((stream) => {
      stream[9]!.subject = 'tocsin.events.com.acme.other.3';
      return { stream };
    });
    expect(findings).toMatchObject([{ position: 10, detail: expect.stringContaining('in NATS subject') }]);
  });

  it('finds an event that is gone from the log, and two that changed places there', async () => {
    const findings = await found((_, log) => {
      const [one, other] = [log[99]!, log[199]!];
      log[99] = { ...other, position: 100 };
      log[199] = { ...one, position: 200 };
      return { log: log.filter(({ position }) => position !== 700 && position !== COUNT) };
    });
    expect(places(findings)).toEqual([
      ['stream-differs', 100],
      ['stream-differs', 200],
      ['stream-only', 700],
      ['stream-only', COUNT],
    ]);
    expect(findings[2]?.detail).toBe(
      'message 700 of the stream is event "e700" of "urn:spec", and the log has no event 700',
    );
  });

  it('finds what is no event, and what is missing, in the middle and at the end', async () => {
    const findings = await found((stream) => {
      stream[4]!.event = undefined;
      const gone = new Set([50, 1_001, 1_002, 1_003, COUNT]);
      return { stream: stream.filter(({ sequence }) => !gone.has(sequence)) };
    });
    expect(places(findings)).toEqual([
      ['stream-foreign', 5],
      ['stream-gap', 50],
      ['stream-gap', 1_001],
      ['stream-gap', COUNT],
    ]);
    expect(findings[2]?.detail).toBe('messages 1001 to 1003 are missing in the stream');
  });

  it('does not miss what the stream forgets at its front meanwhile', async () => {
    const findings = await found((stream) => ({ stream: stream.slice(600) }), { firstNow: 601 });
    expect(findings).toEqual([]);
    const partly = await found((stream) => ({ stream: stream.slice(600) }), { firstNow: 501 });
    expect(partly).toMatchObject([{ kind: 'stream-gap', position: 501 }]);
  });
});
