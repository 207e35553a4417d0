import { describe, expect, it } from 'vitest';
import { parseHosts } from './hosts-file.js';

describe('a hosts file', () => {
  it('names addresses, several names a line and several lines a name, without comments and case', () => {
    const hosts = parseHosts('# all\n10.0.0.1 Edge-1 edge-1.example.net # here\n::1\tedge-1\n\nnonsense edge-2\n');
    expect(hosts.get('edge-1')).toEqual(['10.0.0.1', '::1']);
    expect(hosts.get('edge-1.example.net')).toEqual(['10.0.0.1']);
    expect(hosts.has('edge-2')).toBe(false);
  });
});
