import type { Destination, DestinationAuth } from '@tocsin/contracts';
import type { Clock, RecordedEvent } from '@tocsin/domain';
import { sendMail } from './email.js';
import { renderRequest } from './format/render.js';
import { tellJira } from './jira.js';
import { OAuth2Tokens, type Send } from './oauth2.js';
import type { AttemptOutcome, AttemptResponse } from './outcome.js';
import { DEFAULT_DEADLINE_MS, MAX_DEADLINE_MS, type SendRequest } from './attempt.js';
import type { Sender } from './sender.js';
import { rejectionOf } from './vendor-answer.js';

/** One event for one destination. */
export interface EventToSend {
  /** With its secrets in place. */
  destination: Destination;
  event: RecordedEvent;
  /** Signing secrets in use now, newest first. */
  secrets: readonly string[];
  /** Wall-clock time for everything, over all requests that it takes. */
  deadlineMs?: number;
  /** Ends the attempt as `aborted`, e.g. on shutdown. */
  signal?: AbortSignal;
}

/** Makes the requests of one attempt, each under what is left of its deadline. */
export type SendStep = (
  step: string | undefined,
  request: Omit<SendRequest, 'signal' | 'deadlineMs'>,
) => Promise<AttemptOutcome>;

const systemClock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

/** Tells destinations of every kind: formats, authenticates, sends, and reads what some vendors say in the body of a 200. */
export class EventSender {
  readonly #sender: Sender;
  readonly #clock: Clock;
  readonly #tokens: OAuth2Tokens;

  constructor(options: { sender: Sender; clock?: Clock }) {
    this.#sender = options.sender;
    this.#clock = options.clock ?? systemClock;
    this.#tokens = new OAuth2Tokens(this.#clock);
  }

  /**
   * One attempt. Never throws for anything a receiver does.
   * @throws TocsinError `TCN_INVALID` where a webhook has no usable signing secret
   */
  async send(request: EventToSend): Promise<AttemptOutcome> {
    const startedMs = this.#clock.monotonicMs();
    const deadlineMs = Math.min(request.deadlineMs ?? DEFAULT_DEADLINE_MS, MAX_DEADLINE_MS);
    const left = () => Math.max(1, deadlineMs - (this.#clock.monotonicMs() - startedMs));
    const { signal } = request;
    const step: SendStep = async (name, sent) => {
      const outcome = await this.#sender.send({
        ...sent,
        deadlineMs: left(),
        ...(signal === undefined ? {} : { signal }),
      });
      return name === undefined ? outcome : { ...outcome, step: name };
    };
    const outcome = await this.#tell(request, step, left);
    // An attempt of several requests took as long as all of them.
    return { ...outcome, phasesMs: { ...outcome.phasesMs, total: this.#clock.monotonicMs() - startedMs } };
  }

  async #tell(request: EventToSend, step: SendStep, left: () => number): Promise<AttemptOutcome> {
    const { destination, event } = request;
    const nowMs = this.#clock.now();
    if (destination.kind === 'jira') return tellJira({ destination, event, nowMs, step });
    if (destination.kind === 'email') {
      return sendMail(this.#sender, { destination, event, deadlineMs: left(), signal: request.signal });
    }
    const tls = 'tls' in destination ? destination.tls : undefined;
    const rendered = renderRequest({ ...request, nowMs });
    const outcome = await this.#authenticated('auth' in destination ? destination.auth : undefined, step, (headers) =>
      step(undefined, {
        ...rendered,
        headers: { ...rendered.headers, ...headers },
        ...(tls === undefined ? {} : { tls }),
      }),
    );
    if (!isSuccess(outcome)) return outcome;
    const rejected = rejectionOf(destination.kind, outcome.bodyHead);
    return rejected === undefined ? outcome : { ...outcome, rejected };
  }

  /** Adds an OAuth2 token; one that the receiver refuses though it was still good is replaced once. */
  async #authenticated(
    auth: DestinationAuth | undefined,
    step: SendStep,
    send: (headers: Record<string, string>) => Promise<AttemptOutcome>,
  ): Promise<AttemptOutcome> {
    if (auth?.type !== 'oauth2') return send({});
    const ask: Send = (request) => step('token', request);
    const first = await this.#tokens.get(auth, ask);
    if ('failed' in first) return first.failed;
    const outcome = await send({ authorization: `Bearer ${first.token}` });
    const refused = outcome.kind === 'response' && (outcome.status === 401 || outcome.status === 403);
    if (!refused) return outcome;
    this.#tokens.forget(auth, first.token);
    // A token fetched in this very attempt was refused: another one would be as well.
    if (!first.cached) return outcome;
    const second = await this.#tokens.get(auth, ask);
    return 'failed' in second ? second.failed : send({ authorization: `Bearer ${second.token}` });
  }
}

function isSuccess(outcome: AttemptOutcome): outcome is AttemptResponse {
  return outcome.kind === 'response' && outcome.status >= 200 && outcome.status <= 299;
}
