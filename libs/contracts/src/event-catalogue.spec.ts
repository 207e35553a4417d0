import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EVENT_CATALOGUE, isEventOf } from './event-catalogue.js';
import { DELIVERY_EVENTS } from './delivery-events.js';
import { KEY_EVENTS } from './keys.js';
import { MAINTENANCE_EVENTS } from './maintenance.js';
import { OBSERVER_EVENTS } from './probe-rpc.js';
import { REGISTRY_EVENTS, SUBSCRIPTION_REPLAY_REQUESTED, TARGET_FRESH } from './registry-events.js';
import { SUBSCRIPTION_TEST, SUBSCRIPTION_TESTED } from './subscription-trials.js';
import { targetKindSchema } from './target.js';

const offline = {
  type: 'io.tocsin.node.offline',
  data: {
    target: 'edge-1',
    kind: 'node',
    labels: { site: 'fra' },
    from: 'up',
    to: 'down',
    reason: 'connection refused',
    confidence: 'quorum',
    evidence: [],
    confirmedAt: '2026-05-01T10:00:00.000Z',
    detectionMs: 1200,
  },
};

describe('the catalogue of events', () => {
  it.each([
    ...[REGISTRY_EVENTS, OBSERVER_EVENTS, DELIVERY_EVENTS, KEY_EVENTS, MAINTENANCE_EVENTS].flatMap((types) =>
      Object.values(types),
    ),
    SUBSCRIPTION_REPLAY_REQUESTED,
    SUBSCRIPTION_TEST,
    SUBSCRIPTION_TESTED,
    TARGET_FRESH,
  ])('has %s', (type) => {
    expect(EVENT_CATALOGUE.has(type)).toBe(true);
  });

  it.each(targetKindSchema.options)('has offline and online of %s', (kind) => {
    expect(EVENT_CATALOGUE.has(`io.tocsin.${kind}.offline`)).toBe(true);
    expect(EVENT_CATALOGUE.has(`io.tocsin.${kind}.online`)).toBe(true);
  });

  it('names each schema and its version by a URI of its own', () => {
    const uris = [...EVENT_CATALOGUE.values()].map(({ dataschema }) => dataschema);
    expect(new Set(uris).size).toBe(EVENT_CATALOGUE.size);
    expect(uris).toContain('urn:tocsin:event:io.tocsin.node.offline:1');
  });

  it.each([...EVENT_CATALOGUE.values()])('can write $type as JSON Schema of an object', ({ schema }) => {
    const { $ref, $defs, ...inline } = z.toJSONSchema(schema);
    const written = $ref === undefined ? inline : $defs?.[$ref.replace('#/$defs/', '')];
    expect(written).toMatchObject({ type: 'object' });
  });

  it('tells the payload of an event by its type, and only if it is that', () => {
    expect(isEventOf(offline, 'io.tocsin.node.offline') && offline.data.target).toBe('edge-1');
    expect(isEventOf(offline, 'io.tocsin.node.online')).toBe(false);
    expect(isEventOf({ ...offline, data: { target: 'edge-1' } }, 'io.tocsin.node.offline')).toBe(false);
  });
});
