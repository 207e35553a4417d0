import { isTocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { parseServers } from './server-address.js';

describe('parseServers', () => {
  it.each([
    ['nats://h:4222', { hosts: ['h:4222'], tls: false }],
    ['h', { hosts: ['h:4222'], tls: false }],
    ['127.0.0.1:5000', { hosts: ['127.0.0.1:5000'], tls: false }],
    ['nats://[::1]:4333', { hosts: ['[::1]:4333'], tls: false }],
    ['nats://a:1, nats://b:2', { hosts: ['a:1', 'b:2'], tls: false }],
    ['tls://h', { hosts: ['h:4222'], tls: true }],
    ['nats://u:p%40ss@h:1/', { hosts: ['h:1'], tls: false, user: 'u', pass: 'p@ss' }],
    ['nats://s3cret@h:1', { hosts: ['h:1'], tls: false, token: 's3cret' }],
  ])('takes %s', (text, expected) => {
    expect(parseServers(text)).toEqual(expected);
  });

  it.each([
    '',
    'nats://',
    'http://h:1',
    'nats://u:secret@h:notaport',
    'nats://h:1/path',
    'nats://h,',
    'nats://u:%zz@h',
  ])('refuses %s with TCN_CONFIG, without repeating it', (text) => {
    let thrown: unknown;
    try {
      parseServers(text);
    } catch (error) {
      thrown = error;
    }
    expect(isTocsinError(thrown, 'TCN_CONFIG')).toBe(true);
    expect((thrown as Error).message).toMatch(/^NATS: /);
    expect((thrown as Error).message).not.toMatch(/secret|zz|notaport/);
  });
});
