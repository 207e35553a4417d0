import { FakeClock } from '@tocsin/testing';
import { expect, it } from 'vitest';
import { LogAccess } from './log-access.js';

it('a replica without NATS does not count at once, and is cut off after two leases', () => {
  const clock = new FakeClock();
  let connected = true;
  const access = new LogAccess(() => connected, clock);
  expect([access.look(), access.cutOff]).toEqual([true, false]);
  connected = false;
  expect([access.look(), access.cutOff]).toEqual([false, false]);
  clock.advance(5_999);
  expect([access.look(), access.cutOff]).toEqual([false, false]);
  clock.advance(1);
  expect([access.look(), access.cutOff]).toEqual([false, true]);
  connected = true;
  expect([access.look(), access.cutOff]).toEqual([true, false]);
});
