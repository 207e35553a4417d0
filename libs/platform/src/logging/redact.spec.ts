import { describe, expect, it } from 'vitest';
import { redactedOrigin, redactLine, redactPath, redactUrls } from './redact.js';

describe('redactUrls', () => {
  it.each([
    ['https://h/p?key=secret', 'https://h/p?***'],
    ['https://h/p#secret', 'https://h/p?***'],
    ['https://user:secret@h/p', 'https://***@h/p'],
    ['https://secret@h/p', 'https://***@h/p'],
    ['postgres://u:p@ss/secret@h:5432/db', 'postgres://***@h:5432/db'],
    ['nats://secret@a:4222,nats://secret@b:4222', 'nats://***@a:4222,nats://***@b:4222'],
    ['get "https://h/?a=secret" failed, see https://h/docs', 'get "https://h/?***" failed, see https://h/docs'],
    ['https://h/@name', 'https://h/@name'],
    ['a?b', 'a?b'],
  ])('%s → %s', (text, redacted) => {
    expect(redactUrls(text)).toBe(redacted);
  });
});

describe('redactLine', () => {
  it.each([
    { authorization: 'Bearer hunter2' },
    { req: { headers: { Authorization: 'Basic "hunter2"' } }, after: 1 },
    { a: { b: { c: { d: { secret: 'whsec_hunter2' } } } } },
    { secrets: ['hunter2', 'x]hunter2', { y: ['hunter2'] }], after: 1 },
    { secret: { value: 'hunter2', deeper: { token: '}hunter2' }, last: 'hunter2' }, after: 1 },
    { token: 4711, after: 'no' },
    { err: { message: 'connect to postgres://u:hunter2@h/db failed', stack: 'at https://h/?t=hunter2\nat b' } },
    { msg: 'sent to https://h/hook?token=hunter2' },
    { password: 'with \\" hunter2' },
    { bodyHead: JSON.stringify({ token: 'hunter2', size: 3 }) },
  ])('takes the secret out of %j and leaves the rest', (entry) => {
    const line = redactLine(JSON.stringify(entry));
    expect(line).not.toMatch(/hunter2|4711/);
    expect(Object.keys(JSON.parse(line) as object)).toEqual(Object.keys(entry));
  });

  it('leaves other fields alone', () => {
    const line = JSON.stringify({ secretary: 'Ann', keys: 3, n: null, url: 'https://h/p', tokens: 5 });
    expect(redactLine(line)).toBe(line);
  });
});

describe('redactedOrigin', () => {
  it.each([
    ['https://hooks.example.com/services/T0/B0/secret?x=y', 'https://hooks.example.com'],
    ['http://user:secret@h:8080/', 'http://h:8080'],
    ['no url', '[redacted]'],
    ['mailto:a@b.example', '[redacted]'],
  ])('%s → %s', (url, shown) => {
    expect(redactedOrigin(url)).toBe(shown);
  });
});

describe('redactPath', () => {
  it('hides the token of a heartbeat and nothing else', () => {
    expect(redactPath('/v1/heartbeats/hb_secret')).toBe('/v1/heartbeats/***');
    expect(redactPath('/v1/targets/edge-1')).toBe('/v1/targets/edge-1');
  });
});
