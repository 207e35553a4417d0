import { describe, expect, it } from 'vitest';
import { fieldMeant } from './suggestion.js';

describe('the field that was meant', () => {
  it.each([
    [['target'], 'targets'],
    [['maintainance'], 'maintenance'],
    [['targets', 0, 'lables'], 'labels'],
    [['targets', '3', 'check', 'intervall'], 'interval'],
    [['subscriptions', 0, 'destination', 'URL'], 'url'],
    [['maintenance', 0, 'timezone'], 'timeZone'],
    [['targets', 0, 'each_'], 'each'],
  ])('by %j is %s', (path, meant) => {
    expect(fieldMeant(path)).toBe(meant);
  });

  it('is none where nothing is near, or nothing is known there', () => {
    expect(fieldMeant(['targets', 0, 'colour'])).toBeUndefined();
    expect(fieldMeant(['nowhere', 'x'])).toBeUndefined();
  });
});
