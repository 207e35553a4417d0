import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EgressPolicy } from './egress.js';

const allowed = (policy: EgressPolicy, url: string) => {
  try {
    policy.checkUrl(url);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'TCN_EGRESS_BLOCKED') return false;
    throw error;
  }
};
const vetted = (policy: EgressPolicy, addresses: string[], protocol = 'https:') => {
  try {
    policy.vet(addresses, protocol);
    return true;
  } catch {
    return false;
  }
};
const open = EgressPolicy.parse('public,private,loopback');
const publicOnly = EgressPolicy.parse('public');

/** 127.0.0.1 and 10.0.0.1 in every spelling a URL parser accepts. */
const LOOPBACK_SPELLINGS = [
  '127.0.0.1', '127.0.0.1.', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001',
  '0x7f.0x0.0x0.0x1', '127.0.0.0x1', '１２７.０.０.１', '127。0。0。1', '%31%32%37.0.0.1', '[::1]', '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:1]', '[64:ff9b::127.0.0.1]', '[64:ff9b::7f00:1]',
  'localhost', 'LOCALHOST', 'localhost.', 'a.b.localhost',
]; // prettier-ignore
const PRIVATE_SPELLINGS = [
  '10.0.0.1', '10.1', '167772161', '0xa000001', '012.0.0.1', '192.168.1.1', '172.16.0.1', '172.31.255.255',
  '[::ffff:10.0.0.1]', '[64:ff9b::a00:1]', '[fc00::1]', '[fd12:3456::1]',
]; // prettier-ignore
const NEVER = [
  '169.254.169.254', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]',
  '[64:ff9b::a9fe:a9fe]', '[fe80::1]', '[fd00:ec2::254]', '[fd20:ce::254]', '100.100.100.200', '168.63.129.16', '192.0.0.192',
  '0.0.0.0', '0', '0.0.0.1', '[::]', '255.255.255.255', '224.0.0.1', '[ff02::1]',
  '[::127.0.0.1]', '[::7f00:1]', '[::10.0.0.1]', '[::8.8.8.8]',
  '[2002:7f00:1::]', '[2002:a00:1::1]', '[2002:808:808::1]', '[2001:0:7f00:1::]', '[2001:0:4136:e378:8000:63bf:3fff:fdd2]',
  '[64:ff9b:1::7f00:1]', '[::ffff:0:127.0.0.1]', '[fe80::5efe:10.0.0.1]', '[2606:4700::5efe:7f00:1]', '[2606:4700::200:5efe:7f00:1]',
  'metadata.google.internal', 'metadata.google.internal.',
]; // prettier-ignore
const PUBLIC = ['93.184.216.34', '[2606:4700::1111]', '[64:ff9b::8.8.8.8]', '[::ffff:8.8.8.8]', 'hooks.example.net'];

describe('literals in URLs', () => {
  it.each(LOOPBACK_SPELLINGS)('%s is loopback', (host) => {
    expect(allowed(publicOnly, `https://${host}/x`)).toBe(false);
    expect(allowed(EgressPolicy.parse('public,private'), `https://${host}/x`)).toBe(false);
    expect(allowed(EgressPolicy.parse('loopback'), `https://${host}/x`)).toBe(true);
  });
  it.each(PRIVATE_SPELLINGS)('%s is private', (host) => {
    expect(allowed(EgressPolicy.parse('public,loopback'), `https://${host}/x`)).toBe(false);
    expect(allowed(EgressPolicy.parse('private'), `https://${host}/x`)).toBe(true);
  });
  it.each(NEVER)('%s is never sent to, not even where a CIDR covers it', (host) => {
    const everything = EgressPolicy.parse('public,private,loopback,0.0.0.0/0,::/0');
    expect(allowed(everything, `https://${host}/x`)).toBe(false);
  });
  it.each(PUBLIC)('%s is public', (host) => {
    expect(allowed(publicOnly, `https://${host}/x`)).toBe(true);
    expect(allowed(EgressPolicy.parse('private,loopback'), `https://${host}/x`)).toBe(host === 'hooks.example.net');
  });
  it('refuses documentation, benchmarking and shared addresses unless a CIDR names them', () => {
    for (const host of ['192.0.2.1', '198.18.0.1', '100.64.0.1', '[2001:db8::1]', '240.0.0.1']) {
      expect(allowed(open, `https://${host}/`)).toBe(false);
    }
    expect(allowed(EgressPolicy.parse('100.64.0.0/10'), 'https://100.64.0.1/')).toBe(true);
    expect(allowed(EgressPolicy.parse('100.64.0.0/10'), 'http://100.64.0.1/')).toBe(true);
  });
});

describe('resolved addresses', () => {
  it('are refused altogether if any of them is bad', () => {
    expect(vetted(publicOnly, ['93.184.216.34', '2606:4700::1111'])).toBe(true);
    expect(vetted(publicOnly, ['93.184.216.34', '10.0.0.1'])).toBe(false);
    expect(vetted(publicOnly, ['93.184.216.34', '::127.0.0.1'])).toBe(false);
    expect(vetted(open, ['127.0.0.1', '169.254.169.254'])).toBe(false);
    expect(vetted(open, [])).toBe(false);
  });
  it('are refused with a zone id or if they are no address', () => {
    const everything = EgressPolicy.parse('public,private,loopback,0.0.0.0/0,::/0');
    for (const text of ['fe80::1%eth0', '::1%lo', '127.1', '0x7f000001', 'example.net', '', '1.2.3.4.5', '010.0.0.1']) {
      expect(vetted(everything, [text])).toBe(false);
    }
  });
  it('treats an IPv4 address and its mapped form alike, whatever the policy', () => {
    const policies = ['public', 'private', 'loopback', 'public,private', '10.1.0.0/16', '8.8.0.0/16'].map((text) =>
      EgressPolicy.parse(text),
    );
    fc.assert(
      fc.property(fc.ipV4(), fc.constantFrom(...policies), (address, policy) => {
        expect(vetted(policy, [`::ffff:${address}`])).toBe(vetted(policy, [address]));
      }),
    );
  });
  it('lets no private, loopback or link-local address through a public policy', () => {
    const nets = ['10', '127', '169.254', '192.168', '172.16', '172.31', '0', '224', '255.255'];
    fc.assert(
      fc.property(
        fc.constantFrom(...nets),
        fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 3, maxLength: 3 }),
        (net, tail) => {
          const address = [...net.split('.'), ...tail].slice(0, 4).join('.');
          expect(vetted(publicOnly, [address])).toBe(false);
        },
      ),
    );
  });
});

describe('plain http', () => {
  it('goes to allowed private and loopback addresses only', () => {
    expect(allowed(open, 'http://10.0.0.1/')).toBe(true);
    expect(allowed(open, 'http://localhost:8080/')).toBe(true);
    expect(allowed(open, 'http://93.184.216.34/')).toBe(false);
    expect(vetted(open, ['93.184.216.34'], 'http:')).toBe(false);
    expect(vetted(open, ['64:ff9b::8.8.8.8'], 'http:')).toBe(false);
    expect(allowed(EgressPolicy.parse('93.184.216.0/24'), 'http://93.184.216.34/')).toBe(false);
  });
  it('is refused for a name already when declared, if no address could ever take it', () => {
    expect(allowed(publicOnly, 'http://hooks.example.net/')).toBe(false);
    expect(allowed(open, 'http://hooks.internal/')).toBe(true);
  });
});

describe('ports, schemes and spelling of the policy', () => {
  it('keeps to the ports listed', () => {
    const policy = EgressPolicy.parse('public', { ports: [443, 8443] });
    expect(allowed(policy, 'https://hooks.example.net/')).toBe(true);
    expect(allowed(policy, 'https://hooks.example.net:8443/')).toBe(true);
    expect(allowed(policy, 'https://hooks.example.net:22/')).toBe(false);
  });
  it('calls what is no http URL invalid', () => {
    for (const text of [
      'ftp://example.net/',
      'file:///etc/passwd',
      'nonsense',
      'https://[fe80::1%25eth0]/',
      'https://999.1.1.1/',
    ]) {
      expect(() => publicOnly.checkUrl(text)).toThrow(expect.objectContaining({ code: 'TCN_INVALID' }));
    }
  });
  it('names the part of the policy it does not understand', () => {
    expect(() => EgressPolicy.parse('public,10.0.0.0')).toThrow(/"10\.0\.0\.0"/);
    expect(() => EgressPolicy.parse('publik')).toThrow(expect.objectContaining({ code: 'TCN_CONFIG' }));
    expect(allowed(EgressPolicy.parse(''), 'https://93.184.216.34/')).toBe(false);
  });
});
