import { describe, expect, it } from 'vitest';
import { inChunks } from './chunks.js';
import type { ApplyStep } from './plan-apply.js';

const step = (n: number, bytes = 0): ApplyStep => ({
  subject: `target/${n}`,
  outcome: 'created',
  declaration: { type: 't', subject: `target/${n}`, data: { filler: 'x'.repeat(bytes) }, expectedVersion: 0 },
});

describe('cutting an apply into appends', () => {
  it('keeps order and loses nothing', () => {
    const steps = Array.from({ length: 2_345 }, (_, n) => step(n));
    const chunks = inChunks(steps);
    expect(chunks.flat()).toEqual(steps);
    expect(chunks.map(({ length }) => length)).toEqual([1_000, 1_000, 345]);
  });

  it('stays below what a message holds', () => {
    const chunks = inChunks(Array.from({ length: 20 }, (_, n) => step(n, 100 * 1024)));
    expect(chunks.length).toBeGreaterThan(3);
    for (const chunk of chunks) expect(JSON.stringify(chunk).length).toBeLessThan(700 * 1024);
  });

  it('sends what is too large for one by itself', () => {
    expect(inChunks([step(1), step(2, 1024 * 1024), step(3)]).map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(inChunks([])).toEqual([]);
  });
});
