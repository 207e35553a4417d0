import { describe, expect, it } from 'vitest';
import { UsageError } from '../command-line/exit.js';
import { isThisMachine, resolveConnection } from './connection.js';
import type { ProfileBook } from './profiles.js';

const BOOK: ProfileBook = {
  current: 'home',
  profiles: {
    home: { url: 'https://home.example.net', apiKey: 'home-key' },
    work: { url: 'https://work.example.net', apiKey: 'work-key' },
    bare: { url: 'https://bare.example.net' },
  },
};

async function resolved(
  options: { url?: string; profile?: string },
  env: Record<string, string> = {},
  book: ProfileBook = { profiles: {} },
) {
  const { url, apiKey } = await resolveConnection(options, {
    env,
    profiles: { read: async () => book },
    readText: async (path) => {
      if (path === '.tocsin/api-key') return 'local-key\n';
      if (path === '/data/api-key') return 'data-key\n';
      throw new Error('there is no such file');
    },
  });
  return [url, apiKey];
}

const LOCAL = 'http://127.0.0.1:7070';

describe('which server, and as whom', () => {
  it.each([
    ['nothing said', {}, {}, undefined, [LOCAL, 'local-key']],
    ['a data directory', {}, { TOCSIN_DATA_DIR: '/data' }, undefined, [LOCAL, 'data-key']],
    ['a profile in use', {}, {}, BOOK, ['https://home.example.net', 'home-key']],
    ['--profile', { profile: 'work' }, {}, BOOK, ['https://work.example.net', 'work-key']],
    ['TOCSIN_PROFILE', {}, { TOCSIN_PROFILE: 'work' }, BOOK, ['https://work.example.net', 'work-key']],
    [
      '--profile over TOCSIN_PROFILE',
      { profile: 'home' },
      { TOCSIN_PROFILE: 'work' },
      BOOK,
      ['https://home.example.net', 'home-key'],
    ],
    ['TOCSIN_URL over the profile in use', {}, { TOCSIN_URL: LOCAL }, BOOK, [LOCAL, 'local-key']],
    [
      '--url over all',
      { url: 'https://x.example.net' },
      { TOCSIN_URL: LOCAL, TOCSIN_API_KEY: 'env-key' },
      BOOK,
      ['https://x.example.net', 'env-key'],
    ],
    [
      '--profile over TOCSIN_URL and TOCSIN_API_KEY',
      { profile: 'work' },
      { TOCSIN_URL: LOCAL, TOCSIN_API_KEY: 'env-key' },
      BOOK,
      ['https://work.example.net', 'work-key'],
    ],
    [
      'TOCSIN_API_KEY for a profile without a key',
      { profile: 'bare' },
      { TOCSIN_API_KEY: 'env-key' },
      BOOK,
      ['https://bare.example.net', 'env-key'],
    ],
    [
      'TOCSIN_API_KEY over the key of the profile in use',
      {},
      { TOCSIN_API_KEY: 'env-key' },
      BOOK,
      ['https://home.example.net', 'env-key'],
    ],
    [
      'empty variables, which count as none',
      {},
      { TOCSIN_URL: '', TOCSIN_API_KEY: '', TOCSIN_PROFILE: '' },
      undefined,
      [LOCAL, 'local-key'],
    ],
  ] as const)('%s', async (_what, options, env, book, expected) => {
    expect(await resolved(options, env, book)).toEqual(expected);
  });

  it('a key never goes to a server it was not given for', async () => {
    // The data directory's to another machine.
    expect(await resolved({ url: 'https://other.example.net' })).toEqual(['https://other.example.net', undefined]);
    expect(await resolved({ url: 'http://127.0.0.1.example.net' })).toEqual([
      'http://127.0.0.1.example.net',
      undefined,
    ]);
    // A profile's to another server.
    expect(await resolved({ url: 'https://other.example.net' }, {}, BOOK)).toEqual([
      'https://other.example.net',
      undefined,
    ]);
    expect(await resolved({}, { TOCSIN_URL: 'https://work.example.net:8443' }, BOOK)).toEqual([
      'https://work.example.net:8443',
      undefined,
    ]);
  });

  it('a profile that is not there is wrong usage, and the known ones are named', async () => {
    await expect(resolved({ profile: 'nobody' }, {}, BOOK)).rejects.toThrow(UsageError);
    await expect(resolved({ profile: 'nobody' }, {}, BOOK)).rejects.toThrow('home, work, bare');
  });

  it('an address that is none is wrong usage', async () => {
    await expect(resolved({ url: 'ftp://x' })).rejects.toThrow(UsageError);
    await expect(resolved({}, { TOCSIN_URL: 'x' })).rejects.toThrow('TOCSIN_URL');
  });

  it.each(['tcn_a\nb', 'tcn a', 'schlüssel'])('takes %j for no key, and does not say it', async (key) => {
    const error = await resolved({}, { TOCSIN_API_KEY: key }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toContain('the API key of TOCSIN_API_KEY has characters');
    expect((error as UsageError).message).not.toContain(key);
  });
});

it.each([
  ['http://localhost:1', true],
  ['http://127.9.9.9', true],
  ['http://[::1]:7070', true],
  ['http://localhost.example.net', false],
  ['http://10.0.0.1', false],
])('is %s this machine: %s', (url, expected) => {
  expect(isThisMachine(url)).toBe(expected);
});
