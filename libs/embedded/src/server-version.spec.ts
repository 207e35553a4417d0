import { describe, expect, it } from 'vitest';
import { compareVersions, isNewEnough } from './server-version.js';

describe('versions of nats-server', () => {
  it('are ordered by number, not by letter', () => {
    expect(['2.9.10', '2.12.0', '2.15.1', '2.2.30'].sort(compareVersions)).toEqual([
      '2.2.30',
      '2.9.10',
      '2.12.0',
      '2.15.1',
    ]);
  });

  it.each([
    ['2.11.99', false],
    ['2.12.0', true],
    ['2.15.1', true],
    ['3.0.0', true],
  ])('%s is new enough: %s', (version, enough) => {
    expect(isNewEnough(version)).toBe(enough);
  });
});
