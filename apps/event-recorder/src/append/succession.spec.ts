import { FakeClock } from '@tocsin/testing';
import { describe, expect, it } from 'vitest';
import { Succession } from './succession.js';

/** One lock for all, as the database has it. */
function recorders() {
  const clock = new FakeClock();
  let held = false;
  const one = () => {
    const state = { connected: true };
    const succession = new Succession({
      connected: () => state.connected,
      monotonicMs: () => clock.monotonicMs(),
      acquire: async () => {
        if (held) return undefined;
        held = true;
        return { release: async () => void (held = false) };
      },
    });
    return { state, succession };
  };
  return { clock, leader: one(), standby: one() };
}

describe('Succession', () => {
  it('lets a leader that has NATS lead, whoever stands by', async () => {
    const { clock, leader, standby } = recorders();
    await standby.succession.standBy();
    clock.advance(10_000);
    expect(await leader.succession.mustYield()).toBe(false);
  });

  it('has a leader without NATS yield to a standby that has it, after a while and a second look', async () => {
    const { clock, leader, standby } = recorders();
    await standby.succession.standBy();
    leader.state.connected = false;
    expect(await leader.succession.mustYield()).toBe(false);
    clock.advance(2_000);
    expect(await leader.succession.mustYield()).toBe(false);
    expect(await leader.succession.mustYield()).toBe(true);
    leader.state.connected = true;
    expect(await leader.succession.mustYield()).toBe(false);
  });

  it('lets the leader stay where nobody stands by who has NATS', async () => {
    const { clock, leader, standby } = recorders();
    await standby.succession.standBy();
    leader.state.connected = standby.state.connected = false;
    await standby.succession.standBy();
    await leader.succession.mustYield();
    clock.advance(60_000);
    for (let look = 0; look < 3; look += 1) expect(await leader.succession.mustYield()).toBe(false);
  });

  it('does not take its own offer for somebody else', async () => {
    const { clock, leader } = recorders();
    await leader.succession.standBy();
    leader.state.connected = false;
    await leader.succession.mustYield();
    clock.advance(60_000);
    for (let look = 0; look < 3; look += 1) expect(await leader.succession.mustYield()).toBe(false);
  });
});
