import type { JsonObject, RecordedEvent } from '@tocsin/domain';

const downData: JsonObject = {
  target: 'edge-fra-17',
  kind: 'node',
  labels: { site: 'fra', role: 'edge' },
  from: 'up',
  to: 'down',
  reason: 'connection refused at 10.0.0.7:443 <tcp>',
  confidence: 'quorum',
  votes: { fail: 3, pass: 0, abstain: 0 },
  confirmedAt: '2026-01-02T03:04:09.900Z',
  detectionMs: 4_222,
};

/** The two events of one outage, as the observers record them. */
export const downEvent: RecordedEvent = {
  id: 'evt_0198c2a0-0000-7000-8000-000000000001',
  source: 'tocsin/health-probe',
  type: 'io.tocsin.node.offline',
  subject: 'node/edge-fra-17',
  time: '2026-01-02T03:04:05.678Z',
  recordedAt: '2026-01-02T03:04:10.000Z',
  position: 42,
  version: 3,
  extensions: { episode: 'ep_0198c2a0' },
  data: downData,
};

export const upEvent: RecordedEvent = {
  ...downEvent,
  id: 'evt_0198c2a0-0000-7000-8000-000000000002',
  type: 'io.tocsin.node.online',
  time: '2026-01-02T03:16:10.678Z',
  recordedAt: '2026-01-02T03:16:12.000Z',
  version: 4,
  data: {
    ...downData,
    from: 'down',
    to: 'up',
    reason: 'answers again: 200 in 12 ms',
    votes: { fail: 0, pass: 2, abstain: 0 },
    downMs: 725_000,
  },
};

/** An event of a producer's own, which would like to call everybody. */
export const producersEvent: RecordedEvent = {
  ...downEvent,
  id: '4711',
  source: 'https://ci.example.net/',
  type: 'net.example.ci.finished',
  subject: 'pipeline/deploy',
  extensions: {},
  data: { message: 'build & deploy *done* @here <!channel>' },
};

/** What {@link downEvent} has to say besides its reason. */
export const DOWN_FACTS = [
  ['Since', '2026-01-02 03:04:05 UTC'],
  ['Labels', 'site=fra, role=edge'],
  ['Confirmed by', '3 of 3 observers'],
  ['Detected within', '4s'],
] as const;
