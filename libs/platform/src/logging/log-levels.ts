/** Levels from the most to the least talkative. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A level for all, and exceptions by module. */
export interface LogLevels {
  readonly base: LogLevel;
  readonly modules: ReadonlyMap<string, LogLevel>;
}

/**
 * Reads `info`, `info,relay=debug` or `relay=debug` (then `info` for the rest).
 * @returns undefined if it is none of these
 */
export function parseLogLevels(spec: string): LogLevels | undefined {
  let base: LogLevel | undefined;
  const modules = new Map<string, LogLevel>();
  for (const part of spec.split(',').map((text) => text.trim())) {
    const [first = '', second, ...rest] = part.split('=').map((text) => text.trim());
    const level = second ?? first;
    if (rest.length > 0 || !isLogLevel(level)) return undefined;
    if (second === undefined) {
      if (base !== undefined) return undefined;
      base = level;
    } else {
      if (first === '') return undefined;
      modules.set(first, level);
    }
  }
  return { base: base ?? 'info', modules };
}

/** True if {@link parseLogLevels} takes it. */
export function isLogLevelSpec(spec: string): boolean {
  return parseLogLevels(spec) !== undefined;
}

function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}
