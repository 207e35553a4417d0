import { describe, expect, it } from 'vitest';
import { clauseMatches, labelsMatch, mismatchOf } from './match.js';

const event = {
  source: 'tocsin/health-probe',
  type: 'io.tocsin.node.offline',
  data: { labels: { site: 'fra', role: 'edge' } },
};
const withheld = { ...event, extensions: { withheld: 'maintenance' } };
const clause = { types: ['io.tocsin.node.*'], labels: { site: 'fra' } };

describe('a clause', () => {
  it('asks for events by type and labels', () => {
    expect(clauseMatches(clause, event)).toBe(true);
    expect(clauseMatches({ ...clause, labels: { site: 'ams' } }, event)).toBe(false);
    expect(clauseMatches({ ...clause, types: ['io.tocsin.gateway.*'] }, event)).toBe(false);
  });

  it('gets no event that is withheld, not even one that asks for everything', () => {
    expect(clauseMatches(clause, withheld)).toBe(false);
    expect(clauseMatches({ types: ['*'], labels: {} }, withheld)).toBe(false);
    expect(labelsMatch({}, withheld)).toBe(false);
  });

  it('says what of it does not ask for an event, the type first', () => {
    expect(mismatchOf(clause, event)).toBeUndefined();
    expect(mismatchOf({ types: ['com.acme.*'], labels: { site: 'ams' } }, withheld)).toEqual({ clause: 'type' });
    expect(mismatchOf({ ...clause, labels: { site: 'ams' } }, withheld)).toEqual({ clause: 'withheld' });
    const labels = { site: 'fra', role: 'core' };
    const other = { clause: 'labels', label: 'role', wanted: 'core', found: 'edge' };
    expect(mismatchOf({ ...clause, labels }, event)).toEqual(other);
    expect(mismatchOf({ ...clause, labels: { zone: 'a' } }, event)).toMatchObject({ label: 'zone', found: undefined });
  });

  it('gets a producer’s event whatever its extensions are called', () => {
    expect(clauseMatches(clause, { ...withheld, source: 'urn:acme' })).toBe(true);
  });
});
