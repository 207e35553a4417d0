import { describe, expect, it } from 'vitest';
import { maintenanceSpans, maintenanceSpecSchema } from './maintenance.js';
import { faultsOf } from './problem.js';

const DAY = 86_400_000;
const ms = (text: string) => Date.parse(text);
const starts = (spec: object, from: string, days: number) =>
  maintenanceSpans(maintenanceSpecSchema.parse(spec), ms(from), ms(from) + days * DAY).map(({ startMs }) =>
    new Date(startMs).toISOString(),
  );
const sundays = {
  start: '2026-03-01T02:00:00',
  rrule: 'FREQ=WEEKLY;BYDAY=SU',
  timeZone: 'Europe/Berlin',
  duration: '2h',
};

describe('a maintenance window', () => {
  it('is one span of time', () => {
    const spec = { start: '2026-05-01T00:00:00+02:00', end: '2026-05-01T02:00:00+02:00' };
    expect(starts(spec, '2026-04-30T00:00:00Z', 2)).toEqual(['2026-04-30T22:00:00.000Z']);
    expect(starts(spec, '2026-05-01T00:00:00Z', 2)).toEqual([]);
  });

  it('comes again at the same hour of the local clock, summer time or not', () => {
    expect(starts({ ...sundays, start: '2026-03-01T04:00:00' }, '2026-03-20T00:00:00Z', 20)).toEqual([
      '2026-03-22T03:00:00.000Z',
      '2026-03-29T02:00:00.000Z',
      '2026-04-05T02:00:00.000Z',
    ]);
  });

  it('is not lost where its hour is left out in spring', () => {
    expect(starts({ ...sundays, start: '2026-03-01T02:30:00' }, '2026-03-29T00:00:00Z', 1)).toHaveLength(1);
  });

  it('that began before is still there', () => {
    expect(starts(sundays, '2026-03-22T02:30:00Z', 1)).toEqual(['2026-03-22T01:00:00.000Z']);
  });

  it('takes only rules that are quickly expanded, real zones and ends after starts', () => {
    const faults = (spec: object) => maintenanceSpecSchema.safeParse(spec).success;
    expect(faults({ ...sundays, rrule: 'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30' })).toBe(false);
    expect(faults({ ...sundays, rrule: 'FREQ=SECONDLY' })).toBe(false);
    expect(faults({ ...sundays, rrule: 'FREQ=WEEKLY;BYDAY=XX' })).toBe(false);
    expect(faults({ ...sundays, timeZone: 'Europe/Atlantis' })).toBe(false);
    expect(faults({ ...sundays, start: '2026-03-01T02:00:00Z' })).toBe(false);
    expect(faults({ start: '2026-05-01T00:00:00Z', end: '2026-05-01T00:00:00Z' })).toBe(false);
    expect(faults({ ...sundays, rrule: 'FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1' })).toBe(true);
  });
});

describe('what is wrong with a window', () => {
  const pointersOf = (spec: object) => {
    const checked = maintenanceSpecSchema.safeParse(spec);
    return checked.success ? [] : faultsOf(checked.error).map(({ pointer }) => pointer);
  };

  it('is said of the form that comes nearest to it', () => {
    expect(pointersOf({ start: '2030-01-01T00:00:00Z', ende: 'x' })).toEqual(['/end', '/ende']);
    expect(pointersOf({ start: '2030-01-01T00:00:00', rrule: 'FREQ=DAILY', timeZone: 'Europe/Berlin' })).toEqual([
      '/duration',
    ]);
    expect(pointersOf({ start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00Z' })).toEqual(['/end']);
  });
});
