import type { Judgement } from '../chaos/harness/judge.js';
import type { Recorder } from './recorder.js';
import type { Panel } from './svg-plot.js';
import { type Point, trendOf } from './trend.js';

/** What one series came to. */
export interface Verdict {
  what: string;
  ok: boolean;
  figures: string;
}

const MEBIBYTE = 1024 * 1024;
const mebibytes = (value: number): string => `${(value / MEBIBYTE).toFixed(1)} MiB`;
const whole = (value: number): string => value.toFixed(0);

interface Kind {
  title: string;
  format: (value: number) => string;
  /** Share of its mean a series may gain, and the least that is growth at all. */
  tolerance?: number;
  least?: number;
}

/** The panels, and what each of their series may gain after the beginning. */
const KINDS: Readonly<Record<string, Kind>> = {
  resident: { title: 'resident memory as it is', format: mebibytes },
  rss: { title: 'resident memory in use', format: mebibytes, tolerance: 0.1, least: 4 * MEBIBYTE },
  heap: { title: 'heap and buffers after garbage collection', format: mebibytes, tolerance: 0.05, least: MEBIBYTE },
  // Connections of a pool come and go with what happens; what leaks, leaks with every fault.
  fds: { title: 'open files and sockets', format: whole, tolerance: 0.1, least: 5 },
  resources: { title: 'active handles and requests', format: whole, tolerance: 0.1, least: 5 },
  tables: { title: 'tables with their indexes', format: mebibytes },
  waiting: { title: 'deliveries that wait (rows of pending)', format: whole },
  lag: { title: 'events a follower of the log is behind', format: whole },
};

/** These grow with what was recorded and told, as they must; all others keep their size. */
const GROWS_WITH_THE_LOG = new Set(['log.event', 'log.event_key', 'log.subject_head', 'delivery.attempt']);
/** A table that keeps its size may still gain a page here and there, and what vacuum has not yet cleared. */
const TABLE_LEAST = 2 * MEBIBYTE;
/** Smaller ones are not listed one by one. */
const SMALL_TABLE = MEBIBYTE / 2;

/** Everything that was measured, for the plot. */
export function panelsOf(recorder: Recorder): Panel[] {
  return Object.entries(KINDS).map(([kind, { title, format }]) => ({
    title,
    format,
    series: [...recorder.of(kind)]
      .map(([name, points]) => ({ name, points }))
      .toSorted((one, other) => last(other.points) - last(one.points))
      .slice(0, 8),
  }));
}

/** Does anything grow that should not? */
export function verdictsOf(recorder: Recorder, warmUp: number): Verdict[] {
  const memory = ['rss', 'heap', 'fds', 'resources'].flatMap((kind) => {
    const { title, format, tolerance = 0, least = 0 } = KINDS[kind] as Kind;
    return [...recorder.of(kind)].map(([name, points]) => {
      const trend = trendOf(points, warmUp, tolerance, least);
      const growth = `${trend.growth >= 0 ? '+' : '−'}${format(Math.abs(trend.growth))}`;
      const figures = `mean ${format(trend.mean)}, ${growth} (allowed ${format(trend.allowed)})`;
      return { what: `${title}, ${name}`, ok: !trend.grows, figures };
    });
  });
  const highest = [...recorder.of('resident')].map(([name, points]) => ({
    what: `${KINDS['resident']?.title}, ${name}`,
    ok: true,
    figures: `at most ${mebibytes(Math.max(...points.map(({ value }) => value)))}`,
  }));
  const tables = tablesOf(recorder, warmUp);
  const rests = ['waiting', 'lag'].flatMap((kind) =>
    [...recorder.of(kind)].map(([name, points]) => {
      const most = Math.max(...points.map(({ value }) => value));
      return {
        what: `${KINDS[kind]?.title}, ${name}`,
        ok: last(points) === 0,
        figures: `at most ${most}, ${last(points)} at the end`,
      };
    }),
  );
  return [...memory, ...highest, ...tables, ...rests];
}

/** The large tables and those that grow one by one, the others together. */
function tablesOf(recorder: Recorder, warmUp: number): Verdict[] {
  const all = [...recorder.of('tables')].map(([name, points]) => {
    const [first, end] = [points[0]?.value ?? 0, last(points)];
    const withLog = GROWS_WITH_THE_LOG.has(name);
    const ok = withLog || !trendOf(points, warmUp, 0.1, TABLE_LEAST).grows;
    const figures = `${mebibytes(first)} at first, ${mebibytes(end)} at the end${withLog ? ': grows with the log' : ''}`;
    return { what: `table ${name}`, ok, figures, shown: !ok || withLog || end >= SMALL_TABLE };
  });
  const small = all.filter(({ shown }) => !shown).length;
  return [
    ...all.filter(({ shown }) => shown),
    { what: `${small} other tables`, ok: true, figures: `below ${mebibytes(SMALL_TABLE)} each, and none grows` },
  ];
}

/** The whole of it for people. */
export function reportLines(report: {
  minutes: number;
  warmUp: number;
  verdicts: readonly Verdict[];
  judgements: readonly Judgement[];
  breaches: readonly string[];
  faults: readonly { what: string }[];
}): string[] {
  const { minutes, warmUp, verdicts, judgements, breaches, faults } = report;
  const counts = Map.groupBy(faults, ({ what }) => what);
  const width = Math.max(...verdicts.map(({ what }) => what.length));
  return [
    `${minutes} minutes, the first ${(warmUp / 60).toFixed(1)} not counted; ${faults.length} faults:`,
    ...[...counts].map(([what, all]) => `  ${String(all.length).padStart(4)} × ${what}`),
    ...judgements.map(
      (each) =>
        `told ${each.subscriber}: ${each.received} of ${each.must}, ${each.refused} refused, ${each.duplicates} twice ` +
        `(${each.inFlightAtKills} in flight at kills), order ${each.order}`,
    ),
    ...breaches.map((breach) => `✘ ${breach}`),
    ...verdicts.map(({ what, ok, figures }) => `${ok ? '✔' : '✘'} ${what.padEnd(width)}  ${figures}`),
  ];
}

function last(points: readonly Point[]): number {
  return points.at(-1)?.value ?? 0;
}
