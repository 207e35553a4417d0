import { describe, expect, it } from 'vitest';
import { InFlightWindow, WINDOW_MAX, WINDOW_MIN, WINDOW_START } from './in-flight-window.js';

describe('InFlightWindow', () => {
  it('grows to its bound with every success while all of it is used', () => {
    const window = new InFlightWindow();
    for (let n = 0; n < WINDOW_MAX; n += 1) window.succeeded(window.limit);
    expect(window.limit).toBe(WINDOW_MAX);
  });

  it('does not grow while it is not used', () => {
    const window = new InFlightWindow();
    for (let n = 0; n < 100; n += 1) window.succeeded(1);
    expect(window.limit).toBe(WINDOW_START);
  });

  it('halves at a failure, never below one, and then grows slowly', () => {
    const window = new InFlightWindow();
    for (let n = 0; n < WINDOW_MAX; n += 1) window.succeeded(window.limit);
    window.failed();
    expect(window.limit).toBe(WINDOW_MAX / 2);
    window.succeeded(window.limit);
    expect(window.limit).toBe(WINDOW_MAX / 2);
    for (let n = 0; n < 20; n += 1) window.failed();
    expect(window.limit).toBe(WINDOW_MIN);
  });

  it('widens quickly again after a rest', () => {
    const window = new InFlightWindow();
    for (let n = 0; n < 5; n += 1) window.failed();
    expect(window.limit).toBe(1);
    window.recovered();
    for (let n = 0; n < 7; n += 1) window.succeeded(window.limit);
    expect(window.limit).toBe(8);
  });
});
