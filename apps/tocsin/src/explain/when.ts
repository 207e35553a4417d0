import { parseDuration } from '@tocsin/domain';
import { UsageError } from '../command-line/exit.js';

const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const DAY = /^\d{4}-\d{2}-\d{2}T/;
const ZONE = /(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * The time somebody means: `2030-01-31T03:12:00Z`, the same without a zone (this machine's), `3:12` (the last time clocks here showed it),
 * or `10m` (so long ago).
 * @param nowMs epoch milliseconds
 * @returns RFC 3339
 * @throws UsageError where it is none of these
 */
export function timeOf(text: string, nowMs: number): string {
  const [, hours, minutes, seconds = '0'] = CLOCK.exec(text) ?? [];
  if (hours !== undefined && minutes !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
    const then = new Date(nowMs);
    then.setHours(Number(hours), Number(minutes), Number(seconds), 0);
    if (then.getTime() > nowMs) then.setDate(then.getDate() - 1);
    return then.toISOString();
  }
  const ago = parseDuration(text);
  if (ago !== undefined) return new Date(nowMs - ago).toISOString();
  const given = DAY.test(text) ? new Date(text) : undefined;
  if (given === undefined || Number.isNaN(given.getTime())) {
    throw new UsageError(
      '--at must be a time such as 2030-01-31T03:12:00Z, a time of day such as 3:12, or how long ago, such as 10m.',
    );
  }
  return ZONE.test(text) ? text : given.toISOString();
}
