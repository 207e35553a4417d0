import { InFlight, type Random, type RecordedEvent } from '@tocsin/domain';

/** What a handler is told besides the event. */
export interface HandlingContext {
  /** 1 for the first try of this process. */
  attempt: number;
  /** Aborts when the consumer is to end; a handler that looks at it ends sooner. */
  signal: AbortSignal;
}

interface LanesOptions {
  /** Handlers that run at a time. */
  concurrency: number;
  handle: (event: RecordedEvent, context: HandlingContext) => Promise<void>;
  /** May a handler begin now? Where none may, {@link SubjectLanes.resume} says when one may again. */
  mayBegin: () => boolean;
  /** An event has been handled. */
  onDone: (event: RecordedEvent) => void;
  /** A handler threw; the event is tried again after `retryInMs`. */
  onFailure: (error: unknown, event: RecordedEvent, attempt: number, retryInMs: number) => void;
  signal: AbortSignal;
  random: Random;
}

interface Lane {
  subject: string;
  /** The first is at work, waiting for its turn, or waiting to be tried again. */
  events: RecordedEvent[];
  attempt: number;
}

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 30_000;

/**
 * Handles events one after another within a subject, and subjects side by side. An event whose handler fails is tried again, after
 * 100 ms doubling to 30 s (each up to half shorter, at random); until then its subject waits, holding no place of the others.
 */
export class SubjectLanes {
  readonly #options: LanesOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #ready: Lane[] = [];
  readonly #running = new InFlight();
  readonly #waiting = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  push(event: RecordedEvent): void {
    const lane = this.#lanes.get(event.subject);
    if (lane !== undefined) {
      lane.events.push(event);
      return;
    }
    const opened: Lane = { subject: event.subject, events: [event], attempt: 1 };
    this.#lanes.set(event.subject, opened);
    this.#ready.push(opened);
    this.#pump();
  }

  /** Handlers may begin again. */
  resume(): void {
    this.#pump();
  }

  /** Begins nothing more; resolves when the handlers that run have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#waiting) clearTimeout(timer);
    await this.#running.none();
  }

  #pump(): void {
    while (this.#ready.length > 0 && this.#mayBegin()) {
      const lane = this.#ready.shift();
      if (lane === undefined) return;
      this.#running.begin();
      void this.#run(lane).finally(() => {
        this.#running.end();
        this.#pump();
      });
    }
  }

  #mayBegin(): boolean {
    const { signal, concurrency, mayBegin } = this.#options;
    return !this.#stopped && !signal.aborted && this.#running.size < concurrency && mayBegin();
  }

  async #run(lane: Lane): Promise<void> {
    const event = lane.events[0];
    if (event === undefined) return;
    try {
      await this.#options.handle(event, { attempt: lane.attempt, signal: this.#options.signal });
    } catch (error) {
      this.#retry(lane, event, error);
      return;
    }
    this.#options.onDone(event);
    lane.events.shift();
    lane.attempt = 1;
    if (lane.events.length > 0) this.#ready.push(lane);
    else this.#lanes.delete(lane.subject);
  }

  #retry(lane: Lane, event: RecordedEvent, error: unknown): void {
    const fullMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(lane.attempt - 1, 20));
    const retryInMs = fullMs * (0.5 + this.#options.random() / 2);
    this.#options.onFailure(error, event, lane.attempt, retryInMs);
    lane.attempt += 1;
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      this.#ready.push(lane);
      this.#pump();
    }, retryInMs);
    this.#waiting.add(timer);
  }
}
