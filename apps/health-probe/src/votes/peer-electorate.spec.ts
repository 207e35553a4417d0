import { trace, type Attributes, type Span, type SpanOptions, type Tracer } from '@opentelemetry/api';
import { TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { PeerElectorate } from './peer-electorate.js';
import type { Target } from '../targets/target.js';

const seat = (id: string) => ({ id, site: id.slice(0, 3) });
const target = { name: 'a', subject: 'node/a', spec: { check: { type: 'http' } } } as unknown as Target;
const clock = { now: () => 1_000, monotonicMs: () => 0 };

function electorate(seats: string[], answer: (subject: string) => Promise<unknown>): PeerElectorate {
  const request = (subject: string) => answer(subject);
  return new PeerElectorate({
    self: seat('fra-1'),
    broker: { request } as never,
    clock,
    seats: () => seats.map(seat),
  });
}

describe('an electorate', () => {
  it('is the observer itself and all others that are able', () => {
    const nobody = () => Promise.reject(new Error('not asked'));
    expect(electorate(['fra-1'], nobody).voters()).toBe(1);
    expect(electorate(['fra-1', 'ams-1', 'lon-1'], nobody).voters()).toBe(3);
    // Not able itself, it still has a word of its own.
    expect(electorate(['ams-1'], nobody).voters()).toBe(2);
  });

  it('asks nobody where there is nobody else', async () => {
    expect(await electorate(['fra-1'], () => Promise.reject(new Error('asked'))).ask(target, 100)).toEqual([]);
  });

  it('gives the votes of two others; who does not answer abstains', async () => {
    const asked: string[] = [];
    const votes = await electorate(['fra-1', 'ams-1', 'lon-1', 'par-1'], (subject) => {
      asked.push(subject);
      if (asked.length === 1) return Promise.reject(new TocsinError('TCN_TIMEOUT', 'no answer'));
      const evidence = { observer: 'x', atMs: 1, outcome: 'fail', phase: 'connect', detail: '', durationMs: 2 };
      return Promise.resolve({ vote: 'fail', evidence });
    }).ask(target, 100);
    expect(asked).toHaveLength(2);
    expect(votes.map(({ vote }) => vote)).toEqual(['abstain', 'fail']);
    expect(votes[0]?.evidence).toMatchObject({ outcome: 'abstain', detail: 'no answer' });
  });

  it('leaves a span of its own of every question, with what was answered', async () => {
    const spans: { name: string; attributes: Attributes; ended: boolean }[] = [];
    const startSpan = (name: string, { attributes = {} }: SpanOptions = {}) => {
      const made = { name, attributes: { ...attributes }, ended: false };
      spans.push(made);
      const span = trace.wrapSpanContext({
        traceId: '0'.repeat(31) + '1',
        spanId: '0'.repeat(15) + '1',
        traceFlags: 1,
      });
      const setAttribute = (key: string, value: string | number) => ((made.attributes[key] = value), span);
      return Object.assign(span, { setAttribute, end: () => void (made.ended = true) }) as Span;
    };
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as unknown as Tracer });
    try {
      const nobody = () => Promise.reject(new TocsinError('TCN_TIMEOUT', 'no answer'));
      await electorate(['fra-1'], nobody).ask(target, 100);
      expect(spans).toEqual([]);
      await electorate(['fra-1', 'ams-1'], nobody).ask(target, 100);
      const attributes = {
        ...{ 'tocsin.subject': 'node/a', 'tocsin.observer': 'fra-1' },
        ...{ 'tocsin.votes.fail': 0, 'tocsin.votes.pass': 0, 'tocsin.votes.abstain': 1 },
      };
      expect(spans).toEqual([{ name: 'vote', attributes, ended: true }]);
    } finally {
      trace.disable();
    }
  });
});
