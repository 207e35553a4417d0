export {
  activeSpanContext,
  errorType,
  failSpan,
  inSpan,
  startSpan,
  untraced,
  withSpan,
  type SpanBeginning,
} from './span.js';
export { FRESH_EVENT_MS, SPANS, type SpanKey, type SpanSpec } from './span-set.js';
export { activeTraceparent, spanContextOf } from './traceparent.js';
