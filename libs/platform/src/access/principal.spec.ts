import { describe, expect, it } from 'vitest';
import { anyOfVerifiers, type KeyVerifier, type Role, ROLES, roleSatisfies } from './principal.js';

describe('roleSatisfies', () => {
  it.each<[Role, Role[]]>([
    ['admin', ['admin', 'editor', 'viewer', 'producer']],
    ['editor', ['editor', 'viewer']],
    ['viewer', ['viewer']],
    ['producer', ['producer']],
  ])('%s satisfies exactly %j', (role, satisfied) => {
    expect(ROLES.filter((required) => roleSatisfies(role, [required]))).toEqual(satisfied);
  });

  it('is enough to satisfy one of several', () => {
    expect(roleSatisfies('producer', ['editor', 'producer'])).toBe(true);
    expect(roleSatisfies('viewer', ['editor', 'producer'])).toBe(false);
  });
});

describe('anyOfVerifiers', () => {
  const knows = (key: string, name: string): KeyVerifier => ({
    verify: async (given) => (given === key ? { name, role: 'viewer' } : undefined),
  });

  it('lets the first that knows the key decide', async () => {
    const verifier = anyOfVerifiers(knows('a', 'first'), knows('a', 'second'), knows('b', 'third'));
    expect(await verifier.verify('a')).toMatchObject({ name: 'first' });
    expect(await verifier.verify('b')).toMatchObject({ name: 'third' });
    expect(await verifier.verify('c')).toBeUndefined();
  });
});
