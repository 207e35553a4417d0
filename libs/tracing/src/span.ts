import {
  context,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';
import { isTocsinError } from '@tocsin/domain';
import { SPANS, type SpanKey } from './span-set.js';

/** How a span begins. */
export interface SpanBeginning {
  /** Follows the name; of few values. */
  suffix?: string;
  attributes?: Attributes;
  /** What it has to do with besides its parent. */
  links?: readonly (SpanContext | undefined)[];
  /** What it hangs on. Default: what is active. `none` begins a trace. */
  parent?: SpanContext | 'none';
  /** Began then, epoch milliseconds. Default: now. */
  startMs?: number;
}

/** Begins a span, which must be ended. Costs next to nothing where nothing is traced. */
export function startSpan(key: SpanKey, beginning: SpanBeginning = {}): Span {
  const { name, kind } = SPANS[key];
  const { suffix, attributes, links = [], parent, startMs } = beginning;
  return trace.getTracer('tocsin').startSpan(
    suffix === undefined ? name : `${name} ${suffix}`,
    {
      kind,
      links: links.filter((link) => link !== undefined).map((link): Link => ({ context: link })),
      ...(attributes === undefined ? {} : { attributes }),
      ...(startMs === undefined ? {} : { startTime: startMs }),
    },
    contextFor(parent),
  );
}

/** Runs `work` with the span active. The span is not ended. */
export function withSpan<T>(span: Span, work: () => T): T {
  return context.with(trace.setSpan(context.active(), span), work);
}

/** Runs `work` within a span of its own, which says how it ended. */
export async function inSpan<T>(key: SpanKey, beginning: SpanBeginning, work: (span: Span) => Promise<T>): Promise<T> {
  const span = startSpan(key, beginning);
  try {
    return await withSpan(span, () => work(span));
  } catch (error) {
    failSpan(span, errorType(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Marks a span as failed, by a word of few values. Never by an error's text: that may hold a secret. */
export function failSpan(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
}

/** What an error is called in `error.type`: its code, or its class. */
export function errorType(error: unknown): string {
  if (isTocsinError(error)) return error.code;
  return error instanceof Error ? error.name : '_OTHER';
}

/** The span that something could hang on now; undefined where nothing is traced. */
export function activeSpanContext(): SpanContext | undefined {
  return trace.getSpanContext(context.active());
}

/** Runs `work` outside of every trace: what serves many must not show as a part of whichever came first. */
export function untraced<T>(work: () => T): T {
  return context.with(ROOT_CONTEXT, work);
}

function contextFor(parent: SpanBeginning['parent']): Context {
  if (parent === undefined) return context.active();
  return parent === 'none' ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}
