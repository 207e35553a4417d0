import { describe, expect, it } from 'vitest';
import { parseTargetSpec, planTarget } from './declare-target.js';

const SPEC = parseTargetSpec('a', {
  kind: 'node',
  labels: { b: '1', a: '2' },
  check: { type: 'http', url: 'https://a.example' },
});
// As Postgres gives it back: plain objects, the labels perhaps in another order.
const STORED = JSON.parse(JSON.stringify({ ...SPEC, labels: { a: '2', b: '1' } }));

describe('planning a target', () => {
  it('registers what is not there, at the version its former life left', () => {
    expect(planTarget({ name: 'a', spec: SPEC, standing: { version: 3 }, actor: 'me' })).toEqual({
      outcome: 'created',
      declaration: {
        type: 'io.tocsin.target.registered',
        subject: 'target/a',
        data: { name: 'a', actor: 'me', labels: SPEC.labels, spec: SPEC },
        expectedVersion: 3,
      },
    });
  });

  it('records nothing for what stands already', () => {
    const standing = { version: 3, declared: { spec: STORED, revision: 30 } };
    expect(planTarget({ name: 'a', spec: SPEC, standing, actor: 'me' })).toEqual({ outcome: 'unchanged' });
  });

  it('updates what differs', () => {
    const standing = { version: 3, declared: { spec: { ...STORED, labels: {} }, revision: 30 } };
    expect(planTarget({ name: 'a', spec: SPEC, standing, actor: 'me' })).toMatchObject({
      outcome: 'updated',
      declaration: { type: 'io.tocsin.target.updated', expectedVersion: 3 },
    });
  });

  it('begins a new life where the kind changes', () => {
    const standing = { version: 3, declared: { spec: { ...STORED, kind: 'gateway' as const }, revision: 30 } };
    expect(planTarget({ name: 'a', spec: SPEC, standing, actor: 'me' })).toMatchObject({
      outcome: 'updated',
      declaration: { type: 'io.tocsin.target.registered', expectedVersion: 3 },
    });
  });
});
