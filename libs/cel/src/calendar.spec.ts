import { afterEach, describe, expect, it } from 'vitest';
import { eventWith } from './expressions.harness.js';
import { askFilter } from './filter.js';

const before = process.env['TZ'];

afterEach(() => {
  if (before === undefined) delete process.env['TZ'];
  else process.env['TZ'] = before;
});

/** What an expression says of a time, asked on a machine in this zone. */
function on(machine: string, time: string, expression: string): boolean {
  process.env['TZ'] = machine;
  const mismatch = askFilter(
    { types: [], labels: {}, filter: `timestamp(data.at).${expression}` },
    eventWith({ at: time }),
  );
  expect(mismatch?.failed).toBeUndefined();
  return mismatch === undefined;
}

describe('the calendar', () => {
  it.each([
    ['2026-03-29T02:30:15.250Z', 'getHours() == 2'],
    ['2026-03-29T02:30:15.250Z', 'getHours("UTC") == 2'],
    ['2026-03-29T02:30:15.250Z', 'getHours("Europe/Berlin") == 4'],
    ['2026-03-29T00:30:15.250Z', 'getHours("Europe/Berlin") == 1'],
    ['2026-03-29T02:30:15.250Z', 'getHours("-03:30") == 23'],
    ['2026-03-29T02:30:15.250Z', 'getDate("-03:30") == 28'],
    ['2026-03-29T02:30:15.250Z', 'getHours("05:45") == 8'],
    ['2026-12-31T23:00:00Z', 'getHours("Europe/Berlin") == 0'],
    ['2026-12-31T23:00:00Z', 'getFullYear("Europe/Berlin") == 2027'],
    ['2026-12-31T23:00:00Z', 'getDayOfYear() == 364'],
    ['2028-12-31T00:00:00Z', 'getDayOfYear() == 365'],
    ['2026-03-01T00:00:00Z', 'getMonth() == 2'],
    ['2026-03-01T00:00:00Z', 'getDayOfMonth() == 0'],
    ['2026-03-01T00:00:00Z', 'getDate() == 1'],
    ['2026-03-01T00:00:00Z', 'getDayOfWeek() == 0'],
    ['2026-03-29T02:30:15.250Z', 'getMinutes("Asia/Kolkata") == 0'],
    ['2026-03-29T02:30:15.250Z', 'getSeconds() == 15'],
    ['2026-03-29T02:30:15.250Z', 'getMilliseconds() == 250'],
    ['1969-12-31T23:59:59.750Z', 'getMilliseconds("Europe/Berlin") == 750'],
  ])('says of %s: %s, on any machine', (time, expression) => {
    for (const machine of ['UTC', 'Europe/Berlin', 'America/New_York']) {
      expect(on(machine, time, expression), machine).toBe(true);
    }
  });

  it('knows no zone that there is not', () => {
    const filter = 'timestamp(event.time).getHours("Europe/Atlantis") == 1';
    const mismatch = askFilter({ types: [], labels: {}, filter }, eventWith({}));
    expect(mismatch).toEqual({ clause: 'filter', failed: expect.stringContaining('Europe/Atlantis') });
  });
});
