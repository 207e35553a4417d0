import { describe, expect, it } from 'vitest';
import { parseHosts } from './hosts-file.js';
import { candidates, parseResolvConf } from './resolver.js';

describe('parseHosts', () => {
  it('reads addresses with all their names, in order, and skips what is none', () => {
    const names = parseHosts(
      [
        '# a comment',
        '127.0.0.1\tlocalhost',
        '::1 localhost ip6-localhost # six',
        '10.0.0.7  Hooks.internal hooks',
        'nonsense here',
        '',
      ].join('\n'),
    );
    expect(names.get('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(names.get('ip6-localhost')).toEqual(['::1']);
    expect(names.get('hooks.internal')).toEqual(['10.0.0.7']);
    expect(names.has('here')).toBe(false);
    expect(names.has('six')).toBe(false);
  });
});

describe('search domains', () => {
  it('are read from resolv.conf as a cluster writes it', () => {
    const text =
      'search ns.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5 timeout:1\n';
    const { search, ndots } = parseResolvConf(text);
    expect(ndots).toBe(5);
    expect(candidates('receiver', search, ndots)).toEqual([
      'receiver.ns.svc.cluster.local',
      'receiver.svc.cluster.local',
      'receiver.cluster.local',
      'receiver',
    ]);
  });

  it('come after the name itself where it has dots enough', () => {
    const { search, ndots } = parseResolvConf('domain old.example\nsearch corp.example .\n');
    expect(candidates('hooks.example.net', search, ndots)).toEqual([
      'hooks.example.net',
      'hooks.example.net.corp.example',
    ]);
    expect(candidates('hooks.example.net', ...(Object.values(parseResolvConf('')) as [string[], number]))).toEqual([
      'hooks.example.net',
    ]);
  });
});
