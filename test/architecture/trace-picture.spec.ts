import { SPANS } from '@tocsin/tracing';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ReceivedSpan } from '../harness/otlp-receiver.js';
import { TRACE_PICTURE_PATH, tracePicture } from '../../tools/trace-picture.js';
import { ROOT } from './cruise.js';

function span(name: string, id: string, parentSpanId?: string, more: Partial<ReceivedSpan> = {}): ReceivedSpan {
  const times = { startMs: 1_000, endMs: 1_010 };
  const rest = { kind: 'internal', attributes: {}, events: [], links: [], failed: false };
  return { service: 'tocsin', traceId: 't', spanId: id, parentSpanId, name, ...times, ...rest, ...more };
}

/** Names in the order in which they stand, with how far they are moved in. */
function rows(svg: string): [string, number][] {
  return [...svg.matchAll(/<text x="([\d.]+)" y="[\d.]+" xml:space="preserve">([^<]*)<\/text>/g)].map(([, x, name]) => [
    name ?? '',
    Number(x),
  ]);
}

describe('the picture of a trace', () => {
  it('puts each span below the one it hangs on, siblings as they began, and says what is linked', () => {
    const spans = [
      span('late', 'c', 'a', { startMs: 1_008 }),
      span('root', 'a'),
      span('<early>', 'b', 'a', { startMs: 1_002 }),
      span('deep', 'd', 'b', { failed: true }),
    ];
    const svg = tracePicture([{ title: 'one', spans, links: ['confirm', 'attempt 1'] }]);
    const names = rows(svg).filter(([name]) => name !== 'tocsin');
    expect(names.map(([name]) => name)).toEqual(['root', '&lt;early&gt;', 'deep', 'late']);
    const indents = names.map(([, x]) => x);
    expect(indents[1]).toBe(indents[3]);
    expect(indents.slice(0, 3)).toEqual(indents.slice(0, 3).toSorted((one, other) => one - other));
    expect(svg).toContain('⇢ linked to confirm and attempt 1');
  });

  it('in the documentation has every span that Tocsin makes', () => {
    const svg = readFileSync(join(ROOT, TRACE_PICTURE_PATH), 'utf8');
    const names = rows(svg).map(([name]) => name);
    for (const { name } of Object.values(SPANS)) {
      expect(
        names.some((shown) => shown === name || shown.startsWith(`${name} `)),
        name,
      ).toBe(true);
    }
    expect(svg).toContain('⇢ linked to confirm and attempt 1');
  });
});
