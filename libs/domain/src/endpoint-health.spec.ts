import { describe, expect, it } from 'vitest';
import {
  DISABLE_AFTER_MS,
  endpointAfter,
  type EndpointFact,
  type EndpointHealth,
  type EndpointOutcome,
} from './endpoint-health.js';
import type { Verdict } from './retry/outcome.js';

const HOUR = 3_600_000;

/** Feeds outcomes into one endpoint and collects what was told. */
class Endpoint {
  health: EndpointHealth = {};
  readonly told: EndpointFact[] = [];

  ends(verdict: Verdict, nowMs: number, more: Partial<EndpointOutcome> = {}): this {
    const endpointFailed = !['success', 'blocked', 'interrupted'].includes(verdict);
    const after = endpointAfter(this.health, { verdict, endpointFailed, resting: false, nowMs, ...more });
    this.health = after.health;
    this.told.push(...after.facts);
    return this;
  }

  get facts(): string[] {
    return this.told.map((fact) => [fact.fact, 'warning' in fact ? fact.warning : undefined].filter(Boolean).join(' '));
  }
}

describe('endpointAfter', () => {
  it('changes nothing while all goes well, so that nothing is written', () => {
    const endpoint = new Endpoint();
    const { health } = endpoint;
    expect(endpoint.ends('success', 1).ends('success', 2).health).toBe(health);
    expect(endpoint.told).toEqual([]);
  });

  it('tells once that an endpoint is failing, and once that it has recovered', () => {
    const endpoint = new Endpoint();
    endpoint.ends('retry', 1_000).ends('retry', 2_000, { resting: true }).ends('retry', 3_000, { resting: true });
    endpoint.ends('success', 4_000).ends('success', 5_000);
    expect(endpoint.told).toEqual([
      { fact: 'failing', sinceMs: 1_000 },
      { fact: 'recovered', sinceMs: 1_000 },
    ]);
    expect(endpoint.health).toEqual({});
  });

  it('says nothing of a failure that passes', () => {
    expect(new Endpoint().ends('retry', 1).ends('success', 2).told).toEqual([]);
  });

  it('tells of a refused login and of its end, each once', () => {
    const endpoint = new Endpoint().ends('auth', 1).ends('auth', 2).ends('success', 3).ends('success', 4);
    expect(endpoint.facts).toEqual(['auth-failing', 'auth-restored']);
  });

  it('tells of a redirect once, and again only after a success', () => {
    const endpoint = new Endpoint().ends('misconfigured', 1).ends('misconfigured', 2).ends('success', 3);
    expect(endpoint.ends('misconfigured', 4).facts).toEqual(['misconfigured', 'misconfigured']);
  });

  it('warns after 1 h, 24 h and 72 h, and disables after five days', () => {
    const endpoint = new Endpoint();
    for (let hour = 0; hour <= 130; hour += 1) endpoint.ends('retry', hour * HOUR, { resting: hour > 0 });
    expect(endpoint.facts).toEqual(['failing', 'failing 1h', 'failing 24h', 'failing 72h', 'disabled']);
    expect(endpoint.told.at(-1)).toEqual({ fact: 'disabled', reason: 'no-success', sinceMs: 0 });
  });

  it('warns once for all that was missed while nothing was tried', () => {
    expect(
      new Endpoint()
        .ends('retry', 0)
        .ends('retry', 80 * HOUR)
        .ends('retry', 81 * HOUR).facts,
    ).toEqual(['failing 72h']);
  });

  it('does not disable for one failure after a long silence', () => {
    expect(new Endpoint().ends('success', 0).ends('retry', DISABLE_AFTER_MS + 1).facts).toEqual([]);
  });

  it('disables at once what wants no more', () => {
    const endpoint = new Endpoint().ends('gone', 7).ends('retry', 8);
    expect(endpoint.told).toEqual([
      { fact: 'gone', sinceMs: 7 },
      { fact: 'disabled', reason: 'gone', sinceMs: 7 },
    ]);
  });

  it('disables after three re-resolutions that were refused as well', () => {
    const endpoint = new Endpoint().ends('blocked', 0).ends('blocked', 1).ends('blocked', 2);
    expect(endpoint.told).toEqual([]);
    expect(endpoint.ends('blocked', 3).told).toEqual([{ fact: 'disabled', reason: 'egress-blocked', sinceMs: 0 }]);
  });

  it('does not hold one bad request against the endpoint', () => {
    expect(new Endpoint().ends('dead', 1, { endpointFailed: false }).health).toEqual({});
  });
});
