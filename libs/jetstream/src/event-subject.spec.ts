import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventSubject } from './event-subject.js';
import { unescapeToken } from './token.js';

describe('eventSubject', () => {
  it.each([
    ['io.tocsin.node.offline', 'node/edge-fra-17', 'tocsin.events.node.offline.edge-fra-17'],
    ['io.tocsin.target.fresh', 'target/a.b', 'tocsin.events.target.fresh.a%2Eb'],
    ['com.acme.deploy.done', 'cluster/eu/1', 'tocsin.events.com.acme.deploy.done.eu/1'],
    ['com.acme.deploy.done', 'no-kind', 'tocsin.events.com.acme.deploy.done.no-kind'],
    ['io.tocsin.node.offline', 'node/ä *>%~', 'tocsin.events.node.offline.%C3%A4%20%2A%3E%25%7E'],
    ['io.tocsin.node.offline', 'node/', 'tocsin.events.node.offline.%'],
    ['a..b', 'node/x', 'tocsin.events.a.%.b.x'],
  ])('puts %s about %s under %s', (type, subject, expected) => {
    expect(eventSubject({ type, subject })).toBe(expected);
  });

  it('puts what is withheld apart, where Tocsin itself withholds it', () => {
    const event = { type: 'io.tocsin.node.offline', subject: 'node/a', extensions: { withheld: 'storm' } };
    expect(eventSubject({ ...event, source: 'tocsin/health-probe' })).toBe('tocsin.withheld.node.offline.a');
    expect(eventSubject({ ...event, source: 'urn:acme' })).toBe('tocsin.events.node.offline.a');
  });

  it('always gives a subject NATS takes, short enough for a protocol line, one token for the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 1024 }), (name) => {
        const subject = eventSubject({ type: 'io.tocsin.node.offline', subject: `node/${name}` });
        const tokens = subject.split('.');
        expect(tokens).toHaveLength(5);
        expect(subject).toMatch(/^[\x21-\x7e]{1,1024}$/);
        expect(subject).not.toMatch(/[*>]/);
      }),
    );
  });

  it('can be reversed for every name that is not overlong', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (name) => {
        fc.pre(name.isWellFormed());
        const token = eventSubject({ type: 'io.tocsin.node.offline', subject: `node/${name}` }).split('.')[4] ?? '';
        fc.pre(!token.includes('~'));
        expect(unescapeToken(token, '%')).toBe(name);
      }),
    );
  });

  it('keeps overlong names apart by their hash', () => {
    const one = eventSubject({ type: 'io.tocsin.node.offline', subject: `node/${'x'.repeat(900)}1` });
    const other = eventSubject({ type: 'io.tocsin.node.offline', subject: `node/${'x'.repeat(900)}2` });
    expect(one).not.toBe(other);
    expect(one).toMatch(/^tocsin\.events\.node\.offline\.x{256}~[0-9a-f]{64}$/);
  });
});
