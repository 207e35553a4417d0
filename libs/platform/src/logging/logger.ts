import { isSpanContextValid, trace } from '@opentelemetry/api';
import { TocsinError } from '@tocsin/domain';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { parseLogLevels } from './log-levels.js';
import { prettyDestination } from './pretty.js';
import { redactLine } from './redact.js';

export type { Logger } from 'pino';

/** How a process logs. */
export interface LoggerOptions {
  /** Name of the process: `health-probe`, `tocsin` … */
  name: string;
  /** As `TOCSIN_LOG_LEVEL`: `info`, `info,relay=debug`. Default `info`. */
  level?: string | undefined;
  /** Default: `pretty` on a terminal, else `json`. */
  format?: 'json' | 'pretty' | undefined;
  /** Where lines go. Default: standard output. */
  destination?: DestinationStream;
}

/**
 * A logger: one JSON object a line, with the ids of the active span, secrets taken out. A part of a service takes
 * `logger.child({ module: 'relay' })`; the level of that module is set by `TOCSIN_LOG_LEVEL`.
 * @throws TocsinError `TCN_CONFIG` if `level` cannot be read
 */
export function createLogger(options: LoggerOptions): Logger {
  const levels = parseLogLevels(options.level ?? 'info');
  if (levels === undefined) throw new TocsinError('TCN_CONFIG', 'TOCSIN_LOG_LEVEL: not a level');
  const format = options.format ?? (options.destination === undefined && process.stdout.isTTY ? 'pretty' : 'json');
  // Synchronous: what a process logged before it was killed is there.
  const sink = options.destination ?? pino.destination({ fd: 1, sync: true });
  return pino(
    {
      base: { service: options.name },
      level: levels.base,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: activeSpanIds,
      hooks: { streamWrite: redactLine },
      onChild(child) {
        const module: unknown = child.bindings()['module'];
        const level = typeof module === 'string' ? levels.modules.get(module) : undefined;
        if (level !== undefined) child.level = level;
      },
    },
    format === 'pretty' ? prettyDestination(sink, process.stdout.isTTY && process.env['NO_COLOR'] === undefined) : sink,
  );
}

function activeSpanIds(): Record<string, string> {
  const context = trace.getActiveSpan()?.spanContext();
  if (context === undefined || !isSpanContextValid(context)) return {};
  return { trace_id: context.traceId, span_id: context.spanId };
}
