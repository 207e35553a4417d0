import { describe, expect, it } from 'vitest';
import { ownerOf, votersFor, type ObserverSeat } from './ownership.js';

const seats: ObserverSeat[] = ['a', 'b', 'c', 'd'].map((id) => ({ id, site: 'fra' }));
const targets = Array.from({ length: 2_000 }, (_, index) => `node/edge-${index}`);

describe('ownership', () => {
  it('shares the targets evenly', () => {
    const counts = seats.map(({ id }) => targets.filter((target) => ownerOf(target, 'fra', seats) === id).length);
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(75);
  });

  it('moves only the targets of one that is gone', () => {
    const left = seats.filter((seat) => seat.id !== 'b');
    for (const target of targets) {
      const before = ownerOf(target, 'fra', seats);
      if (before !== 'b') expect(ownerOf(target, 'fra', left)).toBe(before);
    }
  });

  it('does not depend on the order in which observers are known', () => {
    for (const target of targets.slice(0, 100)) {
      expect(ownerOf(target, 'fra', seats.toReversed())).toBe(ownerOf(target, 'fra', seats));
    }
  });

  it('stays in the site of the target where somebody stands there', () => {
    const spread = [...seats, { id: 'x', site: 'ams' }];
    for (const target of targets.slice(0, 100)) {
      expect(ownerOf(target, 'ams', spread)).toBe('x');
      expect(ownerOf(target, 'fra', spread)).not.toBe('x');
    }
    expect(targets.some((target) => ownerOf(target, undefined, spread) === 'x')).toBe(true);
  });

  it('is nobody’s where there is no observer', () => {
    expect(ownerOf('node/a', 'fra', [])).toBeUndefined();
  });
});

describe('voters', () => {
  const [owner] = seats as [ObserverSeat];

  it('are others, those of other sites first', () => {
    const spread = [...seats, { id: 'x', site: 'ams' }];
    for (const target of targets.slice(0, 100)) {
      const voters = votersFor(target, owner, spread, 2);
      expect(voters[0]?.id).toBe('x');
      expect(voters).toHaveLength(2);
      expect(voters.map((voter) => voter.id)).not.toContain('a');
    }
  });

  it('are as many as there are', () => {
    expect(votersFor('node/a', owner, [owner], 2)).toEqual([]);
  });
});
