import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { contentHash, leafHash } from './leaf-hash.js';

const content = {
  ...{ id: 'evt_1', source: 'tocsin/test', type: 'io.tocsin.node.offline', subject: 'node/a' },
  ...{ time: '2026-01-01T00:00:00.000Z', extensions: { episode: 'ep_1' }, data: { to: 'down', from: 'up' } },
};

describe('contentHash', () => {
  // The form is for ever: what is in the log was hashed by it.
  it('is SHA-256 of the canonical JSON', () => {
    const canonical =
      '{"data":{"from":"up","to":"down"},"extensions":{"episode":"ep_1"},"id":"evt_1","source":"tocsin/test",' +
      '"subject":"node/a","time":"2026-01-01T00:00:00.000Z","type":"io.tocsin.node.offline"}';
    expect(contentHash(content)).toBe(createHash('sha256').update(canonical).digest('hex'));
    expect(contentHash(content)).toBe('ab97b4ccad8924c7aff231196635044399a10dd44fdfd4f7614744871c14a48a');
  });

  it('differs for each part that differs, and for null and nothing', () => {
    const variants = [
      content,
      ...Object.keys(content).map((name) => ({ ...content, [name]: name === 'extensions' ? {} : 'other' })),
      { ...content, data: null },
      { ...content, data: undefined },
      { ...content, datacontenttype: 'text/plain' },
      { ...content, dataschema: 'text/plain' },
    ];
    expect(new Set(variants.map(contentHash)).size).toBe(variants.length);
  });
});

describe('leafHash', () => {
  it('is SHA-256 of a zero byte, content, position, version and time', () => {
    const bytes = Buffer.concat([Buffer.from([0]), Buffer.from(contentHash(content), 'hex'), Buffer.alloc(24)]);
    bytes.writeBigInt64BE(4_294_967_297n, 33);
    bytes.writeBigInt64BE(7n, 41);
    bytes.writeBigInt64BE(1_767_225_600_123n, 49);
    expect(leafHash(contentHash(content), 4_294_967_297, 7, 1_767_225_600_123)).toBe(
      createHash('sha256').update(bytes).digest('hex'),
    );
  });
});
