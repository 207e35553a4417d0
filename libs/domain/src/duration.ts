const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What {@link parseDuration} takes, for messages to people. */
export const DURATION_SYNTAX = 'a duration such as "500ms", "10s", "5m", "2h" or "1d"';

/** Milliseconds of a duration such as `500ms`, `1.5s`, `5m`, `2h`, `1d`; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS]);
}

/** The shortest exact spelling of a number of milliseconds: 90_000 → `90s`, 60_000 → `1m`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms !== 0 && ms % UNITS_MS[unit] === 0) return `${ms / UNITS_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}
