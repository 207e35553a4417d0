import { describe, expect, it } from 'vitest';
import { clockStepped, isIsolated, mayRejoin } from './isolation.js';

const well = { canaries: [true, true, true], targetsUp: 20, suspects: 0, refused: 0 };

describe('isolation', () => {
  it.each([
    [[false, false, true], true],
    [[false, true, true], false],
    [[false, false], true],
    [[false, true], false],
    [[false], false],
    [[], false],
  ])('with canaries %j: %s', (canaries, isolated) => {
    expect(isIsolated({ ...well, canaries })).toBe(isolated);
    expect(mayRejoin(canaries)).toBe(!isolated);
  });

  it.each([
    [{ suspects: 10, refused: 8 }, true],
    [{ suspects: 10, refused: 2 }, false],
    [{ suspects: 9, refused: 9 }, false],
    [{ targetsUp: 4, suspects: 4, refused: 4 }, false],
  ])('with suspicions %j: %s', (signs, isolated) => {
    expect(isIsolated({ ...well, ...signs })).toBe(isolated);
  });
});

describe('the clock', () => {
  const from = { wallMs: 1_000_000, monoMs: 5_000 };

  it.each([
    [{ wallMs: 1_002_000, monoMs: 7_000 }, false],
    [{ wallMs: 1_002_400, monoMs: 7_000 }, false],
    [{ wallMs: 4_602_000, monoMs: 7_000 }, true],
    [{ wallMs: -2_598_000, monoMs: 7_000 }, true],
  ])('at %j was set: %s', (to, stepped) => {
    expect(clockStepped(from, to)).toBe(stepped);
  });
});
