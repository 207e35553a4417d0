import type { DestinationStream } from 'pino';

const COLOURS: Record<string, number> = { trace: 90, debug: 90, info: 32, warn: 33, error: 31, fatal: 35 };

/** Fields that stand at the head of the line or are of no use to a person at a terminal. */
const HEAD_FIELDS = new Set(['level', 'time', 'service', 'module', 'msg', 'err', 'trace_id', 'span_id']);

/** Turns JSON log lines into one line each for a person: time, level, module, message, the other fields. */
export function prettyDestination(sink: DestinationStream, colour: boolean): DestinationStream {
  return {
    write(line: string) {
      sink.write(prettyLine(line, colour));
    },
  };
}

/** One line for a person out of one JSON log line; anything else is passed as it is. */
export function prettyLine(line: string, colour: boolean): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const paint = (code: number, part: string) => (colour ? `\u001B[${code}m${part}\u001B[0m` : part);
  const level = text(entry['level']);
  const parts = [
    paint(90, text(entry['time']).slice(11, 23)),
    paint(COLOURS[level] ?? 37, level.toUpperCase().padEnd(5)),
    paint(36, text(entry['module'] ?? entry['service'])),
    text(entry['msg']),
    ...Object.entries(entry)
      .filter(([name]) => !HEAD_FIELDS.has(name))
      .map(([name, value]) => paint(90, `${name}=${text(value)}`)),
  ].filter((part) => part !== '');
  return `${parts.join(' ')}\n${stackOf(entry['err'])}`;
}

function text(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function stackOf(error: unknown): string {
  if (error === null || typeof error !== 'object') return '';
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  const shown = typeof stack === 'string' ? stack : text(message);
  return shown === '' ? '' : `${shown.replace(/^/gm, '    ')}\n`;
}
