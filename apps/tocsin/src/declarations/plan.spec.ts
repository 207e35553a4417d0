import { applyRequestSchema } from '@tocsin/contracts';
import { describe, expect, it } from 'vitest';
import { changesBetween, changeText } from './diff.js';
import { specChanges } from './plan.js';
import { planLines } from './plan-text.js';

describe('what differs between two declarations', () => {
  it('is named field by field, lists as wholes', () => {
    const before = { check: { interval: '10s', url: 'u' }, labels: { a: '1', b: '2' }, types: ['x'] };
    const after = { check: { interval: '5s', url: 'u' }, labels: { a: '1', c: '3' }, types: ['x', 'y'] };
    expect(changesBetween(before, after).map(changeText)).toEqual([
      'check.interval: "10s" → "5s"',
      'labels.c: (none) → "3"',
      'labels.b: "2" → (none)',
      'types: ["x"] → ["x","y"]',
    ]);
  });

  it('is nothing between equals, in whatever order their fields stand', () => {
    expect(changesBetween({ a: 1, b: [1] }, { b: [1], a: 1 })).toEqual([]);
  });

  it('is the whole where one side has another shape', () => {
    expect(changesBetween({ format: 'binary' }, { format: { template: {} } })).toEqual([
      { field: 'format', before: 'binary', after: { template: {} } },
    ]);
  });

  const spec = (url: string) => ({
    destination: { kind: 'webhook', url, headers: { 'x-token': 'geheim' } },
    types: ['*'],
    labels: {},
  });
  const standing = {
    name: 's',
    ...spec('https://hooks.example.net/…'),
    destination: { kind: 'webhook', url: 'https://hooks.example.net/…', headers: { 'x-token': '***' } },
    state: 'active',
    revision: 7,
  };

  it('leaves out what the server adds, and shows no secret', () => {
    expect(specChanges('subscription', standing, spec('https://hooks.example.net/T0/secret'))).toEqual([]);
    const [change, ...others] = specChanges('subscription', standing, spec('https://other.example.net/T0/secret'));
    expect(others).toEqual([]);
    expect(change).toEqual({
      field: 'destination.url',
      before: 'https://hooks.example.net/…',
      after: 'https://other.example.net/…',
    });
  });
});

const REQUEST = applyRequestSchema.parse({
  targets: [{ name: 'a', kind: 'node', labels: { site: 'fra' }, check: { type: 'tcp', host: 'a.example', port: 443 } }],
  subscriptions: [
    { name: 'n', types: ['io.tocsin.*.*'], destination: { kind: 'webhook', url: 'https://a.example/geheim' } },
  ],
});
const NOTHING = { created: [], updated: [], deleted: [], unchanged: [], revisions: {} };

describe('a plan for people', () => {
  it('says that there is nothing to do', () => {
    expect(planLines({ ...NOTHING, unchanged: ['target/a'] }, REQUEST)).toEqual([
      'No changes: all 1 stand as declared.',
    ]);
  });

  it('names what would be created and changed, and counts', () => {
    const changes = [{ field: 'kind', before: 'node', after: 'origin\n+ target/forged' }];
    const updated = [
      { subject: 'target/b', changes },
      { subject: 'subscription/s', changes: [] },
    ];
    expect(
      planLines({ ...NOTHING, created: ['subscription/n', 'target/a'], updated, deleted: ['maintenance/w'] }, REQUEST),
    ).toEqual([
      '+ subscription/n   webhook https://a.example/…; io.tocsin.*.*',
      '+ target/a   node; tcp a.example:443; site=fra',
      '~ target/b',
      '    kind: "node" → "origin\\n+ target/forged"',
      '~ subscription/s',
      '    a part that is not shown: a secret',
      '- maintenance/w',
      '',
      '2 would be created, 2 would be changed, 1 would be deleted, 0 as before',
    ]);
  });
});
