import {
  type Appended,
  appendReplySchema,
  DELIVERY_SOURCE,
  latestReplySchema,
  RPC,
  SUBSCRIPTION_TEST,
  SUBSCRIPTION_TESTED,
  subscriptionTestSubject,
  TEST_EXTENSION,
  type TestReply,
  type TestRequest,
} from '@tocsin/contracts';
import {
  classifyOutcome,
  type Clock,
  type CloudEvent,
  type EventToAppend,
  fromCloudEvent,
  isTocsinError,
  type JsonObject,
  newId,
  type RecordedEvent,
  TocsinError,
  webhookId,
  WITHHELD,
} from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { AttemptOutcome, EventSender } from '@tocsin/webhook';
import type { AttemptTraces } from '../send/attempt-trace.js';
import type { DeliveryStatistics } from '../send/delivery-statistics.js';
import { fullDestination, secretsInUse } from '../send/full-destination.js';
import type { SealedDestinations } from '../send/sealed-destinations.js';

/** From one test of a subscription to the next, by the log and so over all replicas. Milliseconds. */
export const TEST_INTERVAL_MS = 2_000;
/** Tests under way in one process: each may hold a connection for as long as an attempt may take. */
const MOST_AT_ONCE = 8;
const MESSAGE = 'This is a test that somebody asked for. Nothing has happened.';

/** What tests are made with: the sender is that of every attempt. */
export interface TestSenderParts {
  broker: Pick<Broker, 'request'>;
  sender: Pick<EventSender, 'send'>;
  destinations: Pick<SealedDestinations, 'opened'>;
  traces: AttemptTraces;
  statistics: Pick<DeliveryStatistics, 'tested'>;
  clock: Clock;
  logger: Logger;
  /** Aborted when what is under way must end. */
  signal: AbortSignal;
}

/**
 * Sends a subscription a marked event by the way that every event takes: rendered, signed, vetted, once, under the same deadline. The
 * event is in the log before it goes out, and what came back is there after it, both kept from everybody (`withheld`). Nothing is
 * learnt of the endpoint by it: breaker, ledger and counts of deliveries are about what has happened.
 */
export class TestSender {
  #running = 0;

  constructor(private readonly parts: TestSenderParts) {}

  /**
   * @throws TocsinError `TCN_OVERLOADED` where another test was just sent; `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where the log does not answer, and
   * `TCN_SEAL_BROKEN`: then nothing was sent
   */
  async run(request: TestRequest): Promise<TestReply> {
    if (this.#running >= MOST_AT_ONCE) {
      throw new TocsinError('TCN_OVERLOADED', `${MOST_AT_ONCE} tests are under way`, {
        retryAfterMs: TEST_INTERVAL_MS,
      });
    }
    this.#running += 1;
    try {
      return await this.#run(request);
    } finally {
      this.#running -= 1;
    }
  }

  async #run(request: TestRequest): Promise<TestReply> {
    const { clock, statistics, logger } = this.parts;
    const { name, actor, spec } = request;
    const sealed = this.parts.destinations.opened(request);
    const event = await this.#recorded(request);
    const destination = fullDestination(spec, sealed);
    const trace = await this.parts.traces.begin({ subscription: name, position: event.position, attempts: 0 }, event, {
      destinationKind: destination.kind,
      url: destination.url,
    });
    const outcome = await trace.run(() =>
      this.parts.sender.send({
        destination,
        event,
        secrets: secretsInUse(sealed, clock.now()),
        signal: this.parts.signal,
      }),
    );
    const verdict = classifyOutcome(outcome);
    trace.ended(outcome, verdict);
    const answer = answerOf(event, outcome, verdict === 'success' ? 'delivered' : verdict);
    statistics.tested(answer.outcome);
    const recorded = await this.#record(request, { name, actor, test: event.position, ...answer });
    logger.info({ subscription: name, actor, position: event.position, ...answer }, `test: ${answer.outcome}`);
    return { name, position: event.position, ...answer, bodyHead: outcome.bodyHead, recorded };
  }

  /** The test event as the log has it: who sends without saying so cannot be asked about it. */
  async #recorded({ name, actor }: TestRequest): Promise<RecordedEvent> {
    const { broker, clock } = this.parts;
    const subject = subscriptionTestSubject(name);
    const asked = { subjects: [subject], types: [SUBSCRIPTION_TEST] };
    const { events, versions } = await broker.request(RPC.logLatest, asked, { schema: latestReplySchema });
    const [before] = events.map((one) => fromCloudEvent(one as CloudEvent));
    const waitMs = before === undefined ? 0 : Date.parse(before.recordedAt) + TEST_INTERVAL_MS - clock.now();
    if (waitMs > 0) throw tooSoon(name, Math.min(waitMs, TEST_INTERVAL_MS));
    const event = this.#event(SUBSCRIPTION_TEST, name, { name, actor, message: MESSAGE });
    try {
      const appended = await this.#append(event, { [subject]: versions[subject] ?? 0 });
      const { position, version, recordedAt } = appended;
      return { ...event, position, version, recordedAt, extensions: event.extensions ?? {} };
    } catch (error) {
      // Another replica was asked in the same moment.
      if (isTocsinError(error, 'TCN_VERSION_CONFLICT')) throw tooSoon(name, TEST_INTERVAL_MS);
      throw error;
    }
  }

  /** @returns false where the log did not take it: the receiver has been asked, and whoever asked for that is told */
  async #record({ name }: TestRequest, data: JsonObject): Promise<boolean> {
    try {
      await this.#append(this.#event(SUBSCRIPTION_TESTED, name, data));
      return true;
    } catch (error) {
      this.parts.logger.warn({ err: error, subscription: name }, 'how a test ended is not recorded');
      return false;
    }
  }

  #event(type: string, name: string, data: JsonObject): EventToAppend {
    const nowMs = this.parts.clock.now();
    return {
      id: newId('evt', nowMs),
      source: DELIVERY_SOURCE,
      type,
      subject: subscriptionTestSubject(name),
      time: new Date(nowMs).toISOString(),
      extensions: { [TEST_EXTENSION]: true, [WITHHELD]: 'test' },
      data,
    };
  }

  async #append(event: EventToAppend, expect?: Record<string, number>): Promise<Appended> {
    const request = { events: [event], ...(expect === undefined ? {} : { expect }) };
    const { events } = await this.parts.broker.request(RPC.logAppend, request, { schema: appendReplySchema });
    const [appended] = events;
    if (appended === undefined) throw new TocsinError('TCN_INTERNAL', 'an append was answered without its event');
    return appended;
  }
}

function answerOf(event: RecordedEvent, outcome: AttemptOutcome, ended: string) {
  const { address, step, phasesMs } = outcome;
  return {
    webhookId: webhookId(event),
    delivered: ended === 'delivered',
    outcome: ended,
    ...(outcome.kind === 'response'
      ? { status: outcome.status }
      : { errorClass: outcome.errorClass, detail: outcome.detail }),
    ...(step === undefined ? {} : { step }),
    ...(address === undefined ? {} : { address }),
    phasesMs: Object.fromEntries(Object.entries(phasesMs).map(([phase, ms]) => [phase, Math.round(ms * 10) / 10])),
  };
}

function tooSoon(name: string, retryAfterMs: number): TocsinError {
  const detail = `subscription "${name}" was sent a test less than ${TEST_INTERVAL_MS / 1_000} s ago`;
  return new TocsinError('TCN_OVERLOADED', detail, { retryAfterMs });
}
