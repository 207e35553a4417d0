import { targetSpecSchema, type WatchedTarget } from '@tocsin/contracts';
import { heartbeatTokenHash } from '@tocsin/domain';
import { FakeClock } from '@tocsin/testing';
import { describe, expect, it } from 'vitest';
import { HeartbeatTokens } from './heartbeat-tokens.js';

function declared(tokens: { token: string; notAfter?: number }[], type = 'heartbeat'): WatchedTarget {
  const check = type === 'heartbeat' ? { type } : { type, host: 'edge.test', port: 1 };
  const known = tokens.map(({ token, ...rest }) => ({ hash: heartbeatTokenHash(token), ...rest }));
  const spec = targetSpecSchema.parse({ kind: 'node', check });
  return { name: 'edge-1', revision: 1, spec, heartbeat: { tokens: known } };
}

describe('a token', () => {
  it('finds its target, in the overlap the former one too, and nobody afterwards', () => {
    const clock = new FakeClock();
    const tokens = new HeartbeatTokens(clock);
    tokens.declare(declared([{ token: 'new' }, { token: 'old', notAfter: clock.now() + 1_000 }]));
    expect([tokens.find('new'), tokens.find('old'), tokens.find('other')]).toEqual(['edge-1', 'edge-1', undefined]);
    clock.advance(1_000);
    expect([tokens.find('new'), tokens.find('old')]).toEqual(['edge-1', undefined]);
  });

  it('is nobody’s when it was replaced, its target is another check, or gone', () => {
    const tokens = new HeartbeatTokens(new FakeClock());
    tokens.declare(declared([{ token: 'a' }]));
    tokens.declare(declared([{ token: 'b' }]));
    expect([tokens.find('a'), tokens.find('b')]).toEqual([undefined, 'edge-1']);
    tokens.declare(declared([{ token: 'b' }], 'tcp'));
    expect(tokens.find('b')).toBeUndefined();
    tokens.declare(declared([{ token: 'b' }]));
    tokens.withdraw('edge-1');
    expect(tokens.find('b')).toBeUndefined();
  });
});
