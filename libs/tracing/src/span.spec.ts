import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { TocsinError } from '@tocsin/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { activeSpanContext, inSpan, startSpan, untraced, withSpan } from './span.js';
import { activeTraceparent, spanContextOf } from './traceparent.js';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('without an SDK', () => {
  it('work runs, nothing is traced, nothing is carried', async () => {
    const seen = await inSpan('append', {}, () => Promise.resolve([activeSpanContext(), activeTraceparent()]));
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('a span', () => {
  const exporter = new InMemorySpanExporter();

  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  });

  beforeEach(() => exporter.reset());

  afterAll(() => {
    trace.disable();
    propagation.disable();
    context.disable();
  });

  const spans = () =>
    exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      kind: span.kind,
      parent: span.parentSpanContext?.spanId,
      links: span.links.map((link) => link.context.spanId),
      status: span.status,
      attributes: span.attributes,
    }));

  it('has its name and kind from the set, and is active while its work runs', async () => {
    await inSpan('request', { suffix: 'a.b', attributes: { x: 1 } }, async (span) => {
      await Promise.resolve();
      expect(activeSpanContext()).toBe(span.spanContext());
      expect(spanContextOf(activeTraceparent())?.spanId).toBe(span.spanContext().spanId);
    });
    expect(spans()).toMatchObject([
      { name: 'request a.b', kind: SpanKind.CLIENT, attributes: { x: 1 }, parent: undefined },
    ]);
  });

  it('hangs on what is active, on what is named, or on nothing', async () => {
    const named = spanContextOf(TRACEPARENT);
    const outer = startSpan('append');
    withSpan(outer, () => {
      startSpan('commit').end();
      startSpan('publish', { ...(named === undefined ? {} : { parent: named }) }).end();
      startSpan('attempt', { parent: 'none', links: [named, undefined] }).end();
      untraced(() => startSpan('append').end());
    });
    expect(spans()).toMatchObject([
      { name: 'commit', parent: outer.spanContext().spanId },
      { name: 'publish', parent: 'b7ad6b7169203331' },
      { name: 'attempt', parent: undefined, links: ['b7ad6b7169203331'] },
      { name: 'append', parent: undefined },
    ]);
  });

  it('names an error by its code and never tells its text', async () => {
    const failing = inSpan('append', {}, () => Promise.reject(new TocsinError('TCN_FENCED', 'secret-detail')));
    await expect(failing).rejects.toThrow('secret-detail');
    await expect(inSpan('append', {}, () => Promise.reject(new RangeError('secret-text')))).rejects.toThrow();
    expect(spans()).toMatchObject([
      { status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'TCN_FENCED' } },
      { status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'RangeError' } },
    ]);
    expect(JSON.stringify(spans())).not.toContain('secret');
    expect(exporter.getFinishedSpans().flatMap((span) => span.events)).toEqual([]);
  });
});

describe('spanContextOf', () => {
  it('reads a traceparent', () => {
    expect(spanContextOf(TRACEPARENT)).toEqual({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
      isRemote: true,
    });
  });

  it.each([
    undefined,
    7,
    '',
    'x',
    '01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
    `${TRACEPARENT}-00`,
  ])('finds none in %j', (value) => {
    expect(spanContextOf(value)).toBeUndefined();
  });
});
