import { EVENT_CATALOGUE, targetSpecSchema } from '@tocsin/contracts';
import { isWithheld, type CertificateSeen, type Overlay, type ProbeResult } from '@tocsin/domain';
import { createLogger } from '@tocsin/platform';
import type { CertificateLook } from '@tocsin/probes';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthLog } from '../report/health-log.js';
import type { RecordedState } from '../report/recorded-state.js';
import { Target } from '../targets/target.js';
import { FactRoom } from './fact-room.js';
import { MemoryLog } from './memory-log.harness.js';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2030, 0, 1);

let log: MemoryLog;
let nowMs: number;
let overlays: Overlay[];
let look: CertificateLook;
let looks: number;
const rooms: FactRoom[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  log = new MemoryLog();
  nowMs = START_MS;
  overlays = [];
  looks = 0;
});
afterEach(async () => {
  await Promise.all(rooms.splice(0).map((each) => each.stop()));
  vi.useRealTimers();
});

/** A room of its own, as after a restart: it knows what the log holds, and nothing else. */
function room(): FactRoom {
  const made = new FactRoom({
    log: log as unknown as HealthLog,
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    random: () => 0.5,
    logger: createLogger({ name: 'spec', level: 'silent' }),
    look: () => {
      looks += 1;
      return Promise.resolve(look);
    },
    overlays: { over: () => overlays },
    overlaysKnown: Promise.resolve(),
  });
  rooms.push(made);
  return made;
}

function target(check: Record<string, unknown>): Target {
  const spec = targetSpecSchema.parse({ kind: 'node', labels: { site: 'fra' }, check });
  return new Target({ name: 'edge-1', revision: 1, spec }, 0);
}

/** Long enough for whatever was going to be said. */
const settle = (ms = 1_000) => vi.advanceTimersByTimeAsync(ms);

/** Facts in the log, those that are told to nobody in brackets. */
function facts(): string[] {
  return log.events.map((event) => {
    const fact = event.type.replace('io.tocsin.', '');
    return isWithheld(event) ? `(${fact})` : fact;
  });
}

afterEach(() => {
  for (const { type, data } of log.events)
    expect(EVENT_CATALOGUE.get(type)?.schema.safeParse(data).error).toBeUndefined();
});

describe('the certificate of a target', () => {
  const tls = target({ type: 'tls', host: 'edge.test', interval: '200ms' });
  const certificate = (fingerprint: string, more: Partial<CertificateSeen> = {}): CertificateSeen => ({
    fingerprint,
    notBeforeMs: START_MS,
    notAfterMs: START_MS + 100 * DAY_MS,
    issuer: 'O=Trust, CN=R1',
    names: ['edge.test'],
    matches: true,
    ...more,
  });
  const show = (seen: CertificateSeen) => (look = { kind: 'seen', certificate: seen });

  it('is looked at hourly, and what is said of it is said once, also by the next process', async () => {
    show(certificate('a'));
    const first = room();
    first.taken(tls);
    await settle();
    expect(facts()).toEqual(['(certificate.changed)']);
    expect(log.events[0]).toMatchObject({
      subject: 'certificate/edge-1',
      data: {
        target: 'edge-1',
        labels: { site: 'fra' },
        host: 'edge.test:443',
        fingerprint: 'a',
        issuer: 'O=Trust, CN=R1',
      },
    });
    nowMs = START_MS + 80 * DAY_MS;
    await settle(3_600_000);
    expect(facts().slice(1)).toEqual(['certificate.expiring']);
    expect(log.events[1]?.data).toMatchObject({
      lifetimeLeft: 0.2,
      notAfter: '2030-04-11T00:00:00.000Z',
      names: ['edge.test'],
    });
    await first.stop();

    const second = room();
    second.taken(tls);
    await settle();
    expect(looks).toBe(3);
    expect(facts()).toHaveLength(2);
    show(certificate('b', { notBeforeMs: nowMs, notAfterMs: nowMs + 100 * DAY_MS }));
    await settle(3_600_000);
    expect(facts().slice(2)).toEqual(['certificate.renewed']);
    expect(log.events[2]?.data).toMatchObject({ fingerprint: 'b', previousFingerprint: 'a' });
  });

  it('is looked at every ten minutes when it has little time left', async () => {
    show(certificate('a'));
    nowMs = START_MS + 95 * DAY_MS;
    room().taken(tls);
    await settle();
    await settle(1_200_000);
    expect(looks).toBe(3);
    expect(facts()).toEqual(['(certificate.changed)', 'certificate.expiring']);
  });

  it('is looked at at once when the check gets into trouble with TLS', async () => {
    show(certificate('a'));
    const watching = room();
    watching.taken(tls);
    await settle();
    show(certificate('b', { distrust: 'SELF_SIGNED_CERT_IN_CHAIN', names: ['other.test'], matches: false }));
    const failed = {
      kind: 'result',
      outcome: 'fail',
      origin: 'remote',
      phase: 'tls',
      detail: '',
      durationMs: 1,
      phasesMs: {},
    };
    watching.probed(tls, failed as ProbeResult);
    watching.probed(tls, failed as ProbeResult);
    await settle(10);
    expect(looks).toBe(2);
    expect(facts().slice(1)).toEqual(['certificate.changed', 'certificate.invalid', 'certificate.mismatched']);
  });

  it('says nothing of a server that shows none, and is looked at again soon', async () => {
    look = { kind: 'unseen', detail: 'connection refused' };
    room().taken(tls);
    await settle();
    expect(facts()).toEqual([]);
    show(certificate('a'));
    await settle(60_000);
    expect(facts()).toEqual(['(certificate.changed)']);
  });

  it('is watched for HTTPS, and for nothing that speaks no TLS', async () => {
    show(certificate('a'));
    const watching = room();
    watching.taken(target({ type: 'http', url: 'http://edge.test/', interval: '200ms' }));
    await settle();
    expect(looks).toBe(0);
    watching.taken(target({ type: 'http', url: 'https://edge.test/', interval: '200ms' }));
    await settle();
    expect(facts()).toEqual(['(certificate.changed)']);
    watching.given(tls);
    await settle(7_200_000);
    expect(looks).toBe(1);
  });
});

describe('a name', () => {
  const dns = target({ type: 'dns', name: 'www.edge.test' });
  const answered = (...answers: string[]): ProbeResult => ({
    ...{ kind: 'result', outcome: 'pass', origin: 'remote', detail: answers.join(), durationMs: 1, phasesMs: {} },
    dns: { rcode: 'NOERROR', answers },
  });
  const recorded = (announced: 'up' | 'down', more: Partial<RecordedState> = {}): RecordedState => ({
    ...{ announced, version: 1, lifeVersion: 1, sinceMs: START_MS },
    ...(announced === 'down' ? { episode: 'ep_1' } : {}),
    ...more,
  });

  it('is told to have changed when other answers were given twice, whatever their order', async () => {
    const watching = room();
    watching.taken(dns);
    for (const answers of [
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ])
      watching.probed(dns, answered(...answers));
    await settle();
    expect(facts()).toEqual(['(dns.changed)']);
    watching.probed(dns, answered('c'));
    watching.probed(dns, answered('a', 'b'));
    await settle();
    expect(facts()).toHaveLength(1);
    for (let turn = 0; turn < 3; turn += 1) watching.probed(dns, answered('c'));
    await settle();
    expect(facts().slice(1)).toEqual(['dns.changed']);
    expect(log.events[1]).toMatchObject({
      subject: 'dns/edge-1',
      data: {
        name: 'www.edge.test',
        record: 'A',
        answers: ['c'],
        previousAnswers: ['a', 'b'],
        labels: { site: 'fra' },
      },
    });
    const next = room();
    next.taken(dns);
    for (let turn = 0; turn < 3; turn += 1) next.probed(dns, answered('c'));
    await settle();
    expect(facts()).toHaveLength(2);
  });

  it('is not watched for changes where nobody wants that', async () => {
    const watching = room();
    const rotating = target({ type: 'dns', name: 'www.edge.test', announceChanges: false });
    watching.taken(rotating);
    for (const answer of ['a', 'a', 'b', 'b']) watching.probed(rotating, answered(answer));
    await settle();
    expect(facts()).toEqual([]);
  });

  it('is told to fail and to have recovered with its target, once, in its episode, also by the next process', async () => {
    const first = room();
    first.taken(dns);
    first.settled(dns, recorded('up'));
    first.settled(dns, recorded('down'));
    first.settled(dns, recorded('down'));
    await settle();
    expect(facts()).toEqual(['dns.failing']);
    await first.stop();
    const second = room();
    second.taken(dns);
    second.settled(dns, recorded('down'));
    second.settled(dns, recorded('up'));
    await settle();
    expect(facts()).toEqual(['dns.failing', 'dns.recovered']);
    expect(log.events.map(({ extensions }) => extensions['episode'])).toEqual(['ep_1', 'ep_1']);
  });

  it('is not told to fail while its outage is kept back', async () => {
    const watching = room();
    watching.taken(dns);
    watching.settled(dns, recorded('down', { kept: { told: { announced: 'up' }, because: ['maintenance'] } }));
    await settle();
    expect(facts()).toEqual([]);
  });
});

describe('a heartbeat', () => {
  const node = target({ type: 'heartbeat', active: { type: 'tcp', host: 'edge.test', port: 1 } });
  const seen = (lost: boolean) => ({ lost, sinceMs: nowMs, nowMs, lastMs: nowMs - 30_000, reason: 'because' });

  it('is told to be lost and to be back, once each, whichever process notices', async () => {
    const first = room();
    first.taken(node);
    first.heartbeat(node, seen(false));
    for (let turn = 0; turn < 3; turn += 1) first.heartbeat(node, seen(true));
    await settle();
    await first.stop();
    const second = room();
    second.taken(node);
    second.heartbeat(node, seen(true));
    second.heartbeat(node, seen(false));
    second.heartbeat(node, seen(false));
    await settle();
    expect(facts()).toEqual(['node.heartbeat-lost', 'node.heartbeat-resumed']);
    const [lost, resumed] = log.events;
    expect(lost).toMatchObject({ subject: 'node/edge-1', data: { target: 'edge-1', kind: 'node', silentMs: 30_000 } });
    expect(lost?.extensions['episode']).toBe(resumed?.extensions['episode']);
  });

  it('is kept back in maintenance, and told after it', async () => {
    const watching = room();
    watching.taken(node);
    overlays = ['maintenance'];
    watching.heartbeat(node, seen(true));
    await settle();
    overlays = [];
    watching.heartbeat(node, seen(true));
    await settle();
    expect(facts()).toEqual(['(node.heartbeat-lost)', 'node.heartbeat-lost']);
  });

  it('that was never heard is said to be stale once in its life', async () => {
    log.record({ type: 'io.tocsin.target.registered', subject: 'target/edge-1', data: declared });
    for (let process = 0; process < 2; process += 1) {
      const waiting = room();
      waiting.taken(node);
      waiting.unheard(node);
      waiting.unheard(node);
      await settle();
    }
    expect(facts().slice(1)).toEqual(['target.stale']);
  });

  const declared = { name: 'edge-1', actor: 'me', spec: JSON.parse(JSON.stringify(node.spec)) };
});

describe('a fact', () => {
  const node = target({ type: 'heartbeat', active: { type: 'tcp', host: 'edge.test', port: 1 } });
  const seen = (lost: boolean) => ({ lost, sinceMs: nowMs, nowMs, reason: 'because' });

  it('is held while the log is away, and then said in order', async () => {
    vi.useRealTimers();
    const watching = room();
    watching.taken(node);
    log.away = true;
    watching.heartbeat(node, seen(true));
    await vi.waitFor(() => expect(log.refused).toBeGreaterThan(0));
    watching.heartbeat(node, seen(false));
    log.away = false;
    await vi.waitFor(() => expect(facts()).toEqual(['node.heartbeat-lost', 'node.heartbeat-resumed']));
  });

  it('is said once although the answer to its append was lost', async () => {
    vi.useRealTimers();
    const watching = room();
    watching.taken(node);
    log.losesAnswer = true;
    watching.heartbeat(node, seen(true));
    await vi.waitFor(() => expect(log.repeated).toBe(1));
    expect(facts()).toEqual(['node.heartbeat-lost']);
  });

  it('is not said where another observer was quicker, and is where something else was recorded about the subject', async () => {
    const watching = room();
    watching.taken(node);
    const other = { target: 'edge-1', kind: 'node', labels: {} };
    log.rival = () => log.record({ type: 'io.tocsin.node.heartbeat-lost', subject: 'node/edge-1', data: other });
    watching.heartbeat(node, seen(true));
    await settle();
    expect(facts()).toEqual(['node.heartbeat-lost']);
    log.rival = () => log.record({ type: 'com.acme.deployed', subject: 'node/edge-1' });
    watching.heartbeat(node, seen(false));
    await settle();
    expect(facts().slice(1)).toEqual(['com.acme.deployed', 'node.heartbeat-resumed']);
  });
});
