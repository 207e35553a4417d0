import type { ReceivedSpan } from '../test/harness/otlp-receiver.js';

/** Where the picture stands in the repository. */
export const TRACE_PICTURE_PATH = 'docs/trace.svg';

const WIDTH = 1_200;
const NAMES_WIDTH = 430;
const ROW = 24;
const HEAD = 46;
const GAP = 18;
const INDENT = 16;
const LEGEND = 40;
/** Narrower bars could not be seen. */
const LEAST_BAR = 2;
const COLOURS = ['#2563eb', '#b45309', '#047857', '#7c3aed', '#be185d'];
const INK = '#1f2937';
const PALE = '#6b7280';

/** One trace, as a viewer has it. */
export interface TracePanel {
  title: string;
  spans: readonly ReceivedSpan[];
  /** What the first span is linked to, in words. */
  links: readonly string[];
}

/** The waterfalls of some traces, one below the other, each on a scale of its own; SVG. */
export function tracePicture(panels: readonly TracePanel[]): string {
  const services = [...new Set(panels.flatMap(({ spans }) => spans.map(({ service }) => service)))];
  const colourOf = (service: string): string => COLOURS[services.indexOf(service) % COLOURS.length] ?? INK;
  const parts: string[] = [legend(services, colourOf)];
  let top = LEGEND;
  for (const panel of panels) {
    parts.push(panelSvg(panel, top, colourOf));
    top += HEAD + panel.spans.length * ROW + GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">
<title>The traces of one outage, as a viewer shows them</title>
<rect width="${WIDTH}" height="${top}" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`;
}

function legend(services: readonly string[], colourOf: (service: string) => string): string {
  const entries = services.map((service, index) => {
    const x = 16 + index * 210;
    return `<rect x="${x}" y="14" width="12" height="12" rx="2" fill="${colourOf(service)}"/>${text(x + 18, 24, service)}`;
  });
  return entries.join('\n');
}

function panelSvg({ title, spans, links }: TracePanel, top: number, colourOf: (service: string) => string): string {
  const rows = treeOf(spans);
  const startMs = Math.min(...spans.map((span) => span.startMs));
  const endMs = Math.max(...spans.map((span) => span.endMs));
  const left = NAMES_WIDTH + 16;
  const scale = (WIDTH - left - 90) / Math.max(endMs - startMs, 0.001);
  const x = (ms: number): number => left + (ms - startMs) * scale;
  const linked = links.length === 0 ? '' : `⇢ linked to ${links.join(' and ')}`;
  const lines = [
    `<line x1="0" y1="${top}" x2="${WIDTH}" y2="${top}" stroke="#d1d5db"/>`,
    text(16, top + 19, title, 'font-weight="600" font-size="13"'),
    text(WIDTH - 16, top + 19, linked, `fill="${PALE}" text-anchor="end"`),
    text(16, top + 36, `trace ${spans[0]?.traceId ?? ''}`, `fill="${PALE}" font-size="11"`),
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => {
      const at = x(startMs + (endMs - startMs) * share);
      const bottom = top + HEAD + rows.length * ROW;
      return `<line x1="${at.toFixed(1)}" y1="${top + 28}" x2="${at.toFixed(1)}" y2="${bottom}" stroke="#eef0f3"/>${text(at + 3, top + 36, duration((endMs - startMs) * share), `fill="${PALE}" font-size="10"`)}`;
    }),
  ];
  rows.forEach(({ span, depth }, index) => {
    const y = top + HEAD + index * ROW;
    const colour = span.failed ? '#dc2626' : colourOf(span.service);
    const width = Math.max((span.endMs - span.startMs) * scale, LEAST_BAR);
    const nameX = 16 + depth * INDENT;
    lines.push(
      `<rect x="${nameX}" y="${y + 4}" width="3" height="${ROW - 8}" fill="${colourOf(span.service)}"/>`,
      text(nameX + 9, y + 16, nameOf(span)),
      text(NAMES_WIDTH, y + 16, span.kind, `fill="${PALE}" font-size="10" text-anchor="end"`),
      `<rect x="${x(span.startMs).toFixed(1)}" y="${y + 6}" width="${width.toFixed(1)}" height="${ROW - 12}" rx="2" fill="${colour}"/>`,
      ...span.events.map(
        ({ atMs }) =>
          `<circle cx="${x(atMs).toFixed(1)}" cy="${y + ROW / 2}" r="3.5" fill="#ffffff" stroke="${colour}" stroke-width="1.5"/>`,
      ),
      text(x(span.startMs) + width + 6, y + 16, duration(span.endMs - span.startMs), `fill="${PALE}" font-size="11"`),
    );
  });
  return lines.join('\n');
}

/** Spans in the order of a viewer: each below the one it hangs on, siblings as they began. */
function treeOf(spans: readonly ReceivedSpan[]): { span: ReceivedSpan; depth: number }[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const below = (parent: string | undefined, depth: number): { span: ReceivedSpan; depth: number }[] =>
    spans
      .filter(({ parentSpanId }) =>
        parent === undefined ? parentSpanId === undefined || !known.has(parentSpanId) : parentSpanId === parent,
      )
      .sort((one, other) => one.startMs - other.startMs)
      .flatMap((span) => [{ span, depth }, ...below(span.spanId, depth + 1)]);
  return below(undefined, 0);
}

/** The span's name, and what a viewer is opened for beside it. */
function nameOf({ name, attributes }: ReceivedSpan): string {
  const number = attributes['tocsin.attempt.number'];
  const status = attributes['http.response.status_code'];
  if (typeof number !== 'number') return name;
  return typeof status === 'number' ? `${name} ${number} → HTTP ${status}` : `${name} ${number}`;
}

function duration(ms: number): string {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes === '' ? '' : ` ${attributes}`} xml:space="preserve">${escaped}</text>`;
}
