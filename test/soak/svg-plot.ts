import type { Point } from './trend.js';

/** One line of a panel. */
export interface PlottedSeries {
  name: string;
  points: readonly Point[];
}

/** Series of one unit, drawn over one another. */
export interface Panel {
  title: string;
  series: readonly PlottedSeries[];
  /** A value as its axis says it. */
  format: (value: number) => string;
}

/** What else stands in every panel. */
export interface Marks {
  /** Seconds that do not count. */
  warmUp: number;
  /** Moments something was done to it, seconds. */
  faults: readonly number[];
}

const WIDTH = 960;
const HEIGHT = 190;
const LEFT = 80;
const RIGHT = 200;
const TOP = 28;
const BOTTOM = 24;
const GRID = 3;
/** Told apart also by who sees no red (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#999999'];

/** The panels, one below the other, as an SVG document. */
export function svgPlot(title: string, panels: readonly Panel[], marks: Marks): string {
  const end = Math.max(
    1,
    ...panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(({ at }) => at))),
  );
  const height = panels.length * HEIGHT + 40;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="11" fill="#222">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${LEFT}" y="22" font-size="15" font-weight="600">${escaped(title)}</text>`,
    ...panels.map(
      (panel, index) => `<g transform="translate(0 ${40 + index * HEIGHT})">${drawn(panel, end, marks)}</g>`,
    ),
    '</svg>\n',
  ].join('\n');
}

function drawn({ title, series, format }: Panel, end: number, { warmUp, faults }: Marks): string {
  const most = Math.max(1, ...series.flatMap(({ points }) => points.map(({ value }) => value)));
  const width = WIDTH - LEFT - RIGHT;
  const height = HEIGHT - TOP - BOTTOM;
  const x = (at: number) => (LEFT + (at / end) * width).toFixed(1);
  const y = (value: number) => (TOP + height - (value / most) * height).toFixed(1);
  const lines = Array.from({ length: GRID + 1 }, (_, index) => (most / GRID) * index);
  return [
    `<text x="${LEFT}" y="16" font-weight="600">${escaped(title)}</text>`,
    `<rect x="${LEFT}" y="${TOP}" width="${((Math.min(warmUp, end) / end) * width).toFixed(1)}" height="${height}" fill="#f1f1f1"/>`,
    ...lines.map(
      (value) =>
        `<path d="M${LEFT} ${y(value)}H${LEFT + width}" stroke="#ddd"/><text x="${LEFT - 6}" y="${Number(y(value)) + 4}" text-anchor="end">${escaped(format(value))}</text>`,
    ),
    ...faults.map((at) => `<path d="M${x(at)} ${TOP + height}v-5" stroke="#c00"/>`),
    ...series.map(
      ({ points }, index) =>
        `<polyline fill="none" stroke="${colour(index)}" stroke-width="1.5" points="${points.map(({ at, value }) => `${x(at)},${y(value)}`).join(' ')}"/>`,
    ),
    ...series.map(
      ({ name }, index) =>
        `<text x="${LEFT + width + 12}" y="${TOP + 10 + index * 15}" fill="${colour(index)}">${escaped(name)}</text>`,
    ),
    `<text x="${LEFT}" y="${HEIGHT - 8}">0</text>`,
    `<text x="${LEFT + width}" y="${HEIGHT - 8}" text-anchor="end">${(end / 60).toFixed(0)} min</text>`,
  ].join('');
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
