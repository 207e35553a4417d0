import { EgressPolicy, newSigningSecret, Sender, signatureHeaders, type AttemptOutcome } from '@tocsin/webhook';
import { randomUUID } from 'node:crypto';
import { certificateOf } from './certificate.js';
import {
  type Finding,
  judgeAccepted,
  judgeBody,
  judgeBurst,
  judgeLarge,
  judgeRefused,
  judgeRepeat,
  judgeTime,
  judgeTransport,
} from './judge.js';

/** As many as Tocsin has under way to one receiver at first. */
const BURST = 4;
/** Just under the largest event. */
const LARGE_BYTES = 250 * 1024;
/** Standard Webhooks: receivers refuse what is older than five minutes. */
const STALE_S = 15 * 60;
/** Every test event says so; a receiver can tell them by this type. */
const TEST_TYPE = 'io.tocsin.receiver.test';

/** What is examined, and how. */
export interface Examination {
  url: URL;
  /** Signing secret of the subscription. Without it only what needs no valid signature is looked at. */
  secret: string | undefined;
  /** Wall-clock limit of each request, milliseconds. */
  deadlineMs: number;
  signal: AbortSignal;
  nowMs: () => number;
  /** Authorities trusted beside the usual ones, PEM. */
  ca?: readonly string[];
}

/** Examines a receiver by requests as Tocsin itself would send them, marked as tests; says what it finds as it goes. */
export async function* examine(examination: Examination): AsyncGenerator<Finding, void, undefined> {
  const { url, secret, nowMs } = examination;
  // Whoever runs this may reach the receiver; the policy of the services is theirs.
  const sender = new Sender({
    egress: EgressPolicy.parse('public,private,loopback'),
    ...(examination.ca === undefined ? {} : { ca: examination.ca }),
  });
  const send = (request: TestRequest): Promise<AttemptOutcome> =>
    sender.send({
      url: url.href,
      headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', ...request.headers },
      body: request.body,
      deadlineMs: examination.deadlineMs,
      signal: examination.signal,
    });
  const signed = (text: string, by: string, options: { timestampS?: number; filler?: number } = {}): TestRequest =>
    testRequest(text, by, options.timestampS ?? Math.floor(nowMs() / 1000), options.filler ?? 0);
  try {
    const key = secret ?? newSigningSecret();
    const first = signed('a valid request', key);
    const outcome = await send(first);
    yield judgeTransport(url, outcome, url.protocol === 'https:' ? await certificateOf(url) : undefined, nowMs());
    if (secret === undefined) {
      yield {
        check: 'takes a signed request',
        verdict: 'skip',
        detail: 'give its signing secret (--secret-file) to have it checked',
      };
    } else {
      yield judgeAccepted(outcome);
    }
    yield judgeTime(outcome);
    yield judgeBody(outcome);
    if (outcome.kind === 'error') return;

    yield judgeRefused(
      'refuses a wrong signature',
      await send(signed('a request with a wrong signature', newSigningSecret())),
      'anybody who finds the address can forge events: verify webhook-signature',
      'fail',
    );
    yield judgeRefused(
      'refuses a missing signature',
      await send({ ...first, headers: {} }),
      'anybody who finds the address can forge events: refuse what is not signed',
      'fail',
    );
    if (secret === undefined || outcome.status >= 300) return;
    yield judgeRefused(
      'refuses an old request',
      await send(
        signed('a request of a quarter of an hour ago', key, { timestampS: Math.floor(nowMs() / 1000) - STALE_S }),
      ),
      'whoever recorded a request can send it again: refuse a webhook-timestamp older than five minutes',
      'warn',
    );
    yield judgeRepeat(await send(first));
    yield judgeLarge(await send(signed('a large request', key, { filler: LARGE_BYTES })), LARGE_BYTES);
    const several = Array.from({ length: BURST }, (_, n) => send(signed(`${n + 1} of ${BURST} at once`, key)));
    yield judgeBurst(await Promise.all(several));
  } finally {
    await sender.close();
  }
}

interface TestRequest {
  headers: Record<string, string>;
  body: Buffer;
}

function testRequest(text: string, secret: string, timestampS: number, fillerBytes: number): TestRequest {
  const id = `evt_doctor_${randomUUID()}`;
  const event = {
    specversion: '1.0',
    id,
    source: 'tocsin/doctor',
    type: TEST_TYPE,
    subject: 'receiver/test',
    time: new Date(timestampS * 1000).toISOString(),
    datacontenttype: 'application/json',
    data: {
      test: true,
      message: `This is a test by "tocsin doctor": ${text}. Nothing has happened.`,
      ...(fillerBytes === 0 ? {} : { filler: 'x'.repeat(fillerBytes) }),
    },
  };
  const body = Buffer.from(JSON.stringify(event));
  return { headers: signatureHeaders(id, timestampS, body, [secret]), body };
}
