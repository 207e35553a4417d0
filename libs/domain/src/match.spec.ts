import { describe, expect, it } from 'vitest';
import { clauseMatches, labelsMatch } from './match.js';

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

  it('gets a producer’s event whatever its extensions are called', () => {
    expect(clauseMatches(clause, { ...withheld, source: 'urn:acme' })).toBe(true);
  });
});
