import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { METRICS_DOCS_PATH, metricsDocs } from '../../tools/metrics-docs.js';
import { type MetricFamily, scrapeAfterOutage } from '../harness/metrics.js';

/** What a name may end in: a unit, or for a counter what it counts. */
const UNITS = /_(?:seconds|bytes|ratio|total|events|targets|deliveries|subscriptions|shards|leaders|observers|parts)$/;
/** Labels whose values are few, whatever is watched and whoever is told. */
const BOUNDED = new Set(
  'because,code,confidence,fact,follower,kind,method,origin,outcome,part,reason,route,state,status,to,type'.split(','),
);

describe('the metrics of a Tocsin that has seen an outage', () => {
  let families: MetricFamily[];

  beforeAll(async () => {
    families = await scrapeAfterOutage();
  });

  it('are those of docs/metrics.md', async () => {
    expect(metricsDocs(families)).toBe(
      await readFile(resolve(import.meta.dirname, '../..', METRICS_DOCS_PATH), 'utf8'),
    );
  });

  it('all say what they are, and end in their unit', () => {
    expect(families.filter(({ help, type }) => help === '' || type === 'untyped')).toEqual([]);
    expect(families.map(({ name }) => name).filter((name) => !UNITS.test(name))).toEqual([]);
    expect(
      families.filter(({ name, type }) => (type === 'counter') !== name.endsWith('_total')).map(({ name }) => name),
    ).toEqual([]);
  });

  it('have labels of few values, none of them a name that somebody gave', () => {
    expect([...new Set(families.flatMap(({ labels }) => labels))].filter((label) => !BOUNDED.has(label))).toEqual([]);
    const values = families.flatMap(({ samples }) => samples.flatMap(({ labels }) => Object.values(labels)));
    expect(values.filter((value) => /evt_|https?:|127\.0\.0\.1|^told$|^refusing$|^node\/a$|^a$/.test(value))).toEqual(
      [],
    );
  });

  it('are a receipt: many checks, two changes, and who was told', () => {
    const sum = (name: string, wanted: Record<string, string> = {}) =>
      families
        .find((family) => family.name === name)
        ?.samples.filter(({ labels }) => Object.entries(wanted).every(([label, value]) => labels[label] === value))
        .reduce((total, { value }) => total + value, 0);
    expect(sum('tocsin_checks_total')).toBeGreaterThan(4);
    expect(sum('tocsin_transitions_total', { to: 'down' })).toBe(1);
    expect(sum('tocsin_transitions_total', { to: 'up' })).toBe(1);
    expect(sum('tocsin_deliveries_total', { outcome: 'delivered' })).toBe(2);
    expect(sum('tocsin_deliveries_total', { outcome: 'dead' })).toBe(2);
    expect(sum('tocsin_accepted_deliveries_total')).toBe(
      (sum('tocsin_deliveries_total') ?? 0) +
        (sum('tocsin_waiting_deliveries') ?? 0) +
        (sum('tocsin_parked_deliveries') ?? 0),
    );
    expect(sum('tocsin_missing_deliveries')).toBe(0);
    expect(sum('tocsin_log_leaders')).toBe(1);
    expect(sum('tocsin_watched_targets', { state: 'up' })).toBe(1);
    expect(sum('tocsin_unready_parts')).toBe(0);
    expect(sum('tocsin_relay_lag_events')).toBe(0);
    const head = sum('tocsin_log_position_events');
    expect(sum('tocsin_follower_position_events', { follower: 'delivery' })).toBe(head);
    expect(sum('tocsin_follower_position_events', { follower: 'registry' })).toBe(head);
  });
});
