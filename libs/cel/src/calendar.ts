import { type CelFunc, celMethod, CelScalar, objectType } from '@bufbuild/cel';

/** A time zone's rules take a while to load; so many are kept. */
const KEPT = 100;
const DAY_MS = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** What is read off a calendar, from a date whose UTC fields are those of the zone (CEL, "Timestamps and durations"). */
const FIELDS: Readonly<Record<string, (local: Date) => number>> = {
  getFullYear: (local) => local.getUTCFullYear(),
  getMonth: (local) => local.getUTCMonth(),
  getDate: (local) => local.getUTCDate(),
  getDayOfMonth: (local) => local.getUTCDate() - 1,
  getDayOfWeek: (local) => local.getUTCDay(),
  getDayOfYear: (local) => Math.floor((local.getTime() - Date.UTC(local.getUTCFullYear(), 0, 1)) / DAY_MS),
  getHours: (local) => local.getUTCHours(),
  getMinutes: (local) => local.getUTCMinutes(),
  getSeconds: (local) => local.getUTCSeconds(),
  getMilliseconds: (local) => local.getUTCMilliseconds(),
};

const TIMESTAMP = objectType('google.protobuf.Timestamp');
const { INT, STRING } = CelScalar;

/**
 * The calendar functions of timestamps. Those of the evaluator go through the zone of the machine, and are an hour off where that has
 * none of this name; an expression must give the same on every machine.
 */
export const CALENDAR: readonly CelFunc[] = Object.entries(FIELDS).flatMap(([name, field]) => [
  celMethod(name, TIMESTAMP, [], INT, function () {
    return BigInt(field(new Date(epochMs(this.message))));
  }),
  celMethod(name, TIMESTAMP, [STRING], INT, function (zone) {
    return BigInt(field(localIn(zone, epochMs(this.message))));
  }),
]);

function epochMs(message: object): number {
  const { seconds, nanos } = message as { seconds: bigint; nanos: number };
  return Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000);
}

/** @throws RangeError for a zone that there is not */
function localIn(zone: string, ms: number): Date {
  const offset = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (offset !== null) {
    const [, sign, hours, minutes] = offset;
    return new Date(ms + (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000);
  }
  const parts = new Map(
    formatOf(zone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const hour = part('hour') % 24;
  const local = Date.UTC(part('year'), part('month') - 1, part('day'), hour, part('minute'), part('second'));
  return new Date(local + (((ms % 1_000) + 1_000) % 1_000));
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const numeric = 'numeric';
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23' },
    ...{ year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric },
  });
  const oldest = formats.size >= KEPT ? formats.keys().next().value : undefined;
  if (oldest !== undefined) formats.delete(oldest);
  formats.set(zone, format);
  return format;
}
