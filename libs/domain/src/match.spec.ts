import { describe, expect, it } from 'vitest';
import {
  type AskFilter,
  clauseMatches as matches,
  labelsMatch,
  type MatchClause,
  mismatchOf as mismatch,
} from './match.js';

const event = {
  source: 'tocsin/health-probe',
  type: 'io.tocsin.node.offline',
  data: { labels: { site: 'fra', role: 'edge' } },
};
const withheld = { ...event, extensions: { withheld: 'maintenance' } };
const clause = { types: ['io.tocsin.node.*'], labels: { site: 'fra' } };

const noFilter: AskFilter<unknown> = () => undefined;
type Event = Omit<typeof event, 'data'> & {
  data: { labels: Record<string, string> };
  extensions?: { withheld: string };
};
const clauseMatches = (asked: MatchClause, given: Event) => matches(asked, given, noFilter);
const mismatchOf = (asked: MatchClause, given: Event) => mismatch(asked, given, noFilter);

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

  it('asks its filter last, and only about what it wants otherwise', () => {
    const asked: string[] = [];
    const ask: AskFilter<Event> = (_clause, { type }) => {
      asked.push(type);
      return { clause: 'filter', failed: 'no such key' };
    };
    expect(mismatch(clause, { ...event, type: 'com.acme.x' }, ask)).toEqual({ clause: 'type' });
    expect(mismatch({ ...clause, labels: { site: 'ams' } }, event, ask)).toMatchObject({ clause: 'labels' });
    expect(mismatch(clause, withheld, ask)).toEqual({ clause: 'withheld' });
    expect(asked).toEqual([]);
    expect(mismatch(clause, event, ask)).toEqual({ clause: 'filter', failed: 'no such key' });
    expect(matches(clause, event, ask)).toBe(false);
  });

  it('gets a producer’s event whatever its extensions are called', () => {
    expect(clauseMatches(clause, { ...withheld, source: 'urn:acme' })).toBe(true);
  });
});
