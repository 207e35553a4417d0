import { isWithheld, type RecordedEvent, TocsinError, typeMatches } from '@tocsin/domain';
import type { DurableMessage, DurableReader, DurableSettings, EventDurables } from '@tocsin/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogHistory, StartFrom } from './log-history.js';
import { PositionSet } from './position-set.js';
import { type HandlingContext, SubjectLanes } from './subject-lanes.js';

export interface ConsumptionParts {
  durables: EventDurables;
  history: LogHistory;
  settings: DurableSettings;
  types: readonly string[] | undefined;
  subject: string | undefined;
  /** Is what is told to nobody wanted, too? */
  withheld: boolean;
  from: StartFrom;
  concurrency: number;
  handle: (event: RecordedEvent, context: HandlingContext) => Promise<void>;
  /** Is it certain that no other process consumes the durable? Where not, {@link EventConsumption.resume} says when it is again. */
  mayBegin: () => boolean;
  onError: (error: unknown, event?: RecordedEvent) => void;
  signal: AbortSignal;
}

/** An event that has been taken and not handled yet. One read from the log has no message until the stream brings it, if ever. */
interface Open {
  message: DurableMessage | undefined;
}

const IDLE_MS = 500;
const LOOK_MS = 1_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/** How many ack waits the messages of a predecessor are waited for. It is alive and works beside us then, without the lease that this library takes. */
const PATIENCE = 3;

/**
 * One process consuming one durable. It knows which positions it has taken (`#taken`) and which of them are not handled yet (`#open`): so
 * whatever the broker delivers again, after a reconnect, a restart of the server or the loss of its store, is handled once.
 *
 * It works in sessions. A session begins by looking how stream and durable stand, makes the durable again where it is gone, reads from
 * the log what the stream will not bring (in order), and then takes what is delivered until the first doubt.
 */
export class EventConsumption {
  readonly #parts: ConsumptionParts;
  readonly #lanes: SubjectLanes;
  readonly #taken = new PositionSet();
  readonly #open = new Map<number, Open>();
  /** What a predecessor had in hand, and all that came meanwhile: held until it is complete, to be begun in order. */
  #held: Map<number, DurableMessage> | undefined;
  /** Everything wanted up to here is acknowledged, as the server last said; undefined before the durable was seen. */
  #acked: number | undefined;
  /** Part of the log the durable does not cover, until it is handled. */
  #behind: { after: number; until: number } | undefined;
  #begun = false;
  /** The delivery before, and the position up to which it is known that nothing wanted was left out. */
  #chain: { delivery: number; position: number } | undefined;
  #lookedAtMs = 0;
  #room: (() => void) | undefined;

  constructor(parts: ConsumptionParts) {
    this.#parts = parts;
    this.#lanes = new SubjectLanes({
      concurrency: parts.concurrency,
      handle: parts.handle,
      mayBegin: parts.mayBegin,
      onDone: (event) => this.#done(event.position),
      onFailure: (error, event) => parts.onError(error, event),
      signal: parts.signal,
      random: Math.random,
    });
  }

  /** Handlers may begin again. */
  resume(): void {
    this.#lanes.resume();
  }

  /** Consumes until the signal aborts; handlers that run then are awaited, what is not begun is given back. */
  async run(): Promise<void> {
    const { signal, settings } = this.#parts;
    const touching = setInterval(() => this.#touch(), settings.ackWaitMs / 3);
    let retryMs = FIRST_RETRY_MS;
    try {
      while (!signal.aborted) {
        const startedMs = performance.now();
        try {
          await this.#session();
        } catch (error) {
          if (signal.aborted) break;
          this.#parts.onError(error);
        }
        retryMs = performance.now() - startedMs > MAX_RETRY_MS ? FIRST_RETRY_MS : Math.min(MAX_RETRY_MS, retryMs * 2);
        await delay(retryMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      }
    } finally {
      await this.#lanes.stop();
      clearInterval(touching);
      for (const { message } of this.#open.values()) message?.release();
      for (const message of this.#held?.values() ?? []) message.release();
    }
  }

  async #session(): Promise<void> {
    const { durables, settings, signal } = this.#parts;
    if (!(await durables.whenConnected(MAX_RETRY_MS, signal))) return;
    const stream = await durables.stream();
    if (stream === undefined) throw new TocsinError('TCN_UNAVAILABLE', 'there is no stream of events yet');
    let state = await durables.find(settings.name);
    if (state === undefined) state = await durables.create(settings, await this.#resumeAfter());
    else await durables.align(settings);

    this.#acked = Math.max(this.#acked ?? 0, state.acked);
    this.#behind = state.behind;
    this.#chain = undefined;
    const restarted = !this.#begun;
    // In a process that goes on, everything up to the last position taken is either handled or in hand.
    const taken = this.#taken.last > 0 ? this.#taken.last : state.acked;
    const from = restarted ? (state.behind?.after ?? state.acked) : taken;
    // What was delivered and got lost on the way comes again only after the ack wait, behind younger events: read it now, in order.
    const until = Math.max(stream.first - 1, state.behind?.until ?? 0, restarted ? 0 : state.delivered);
    if (from + 1 < stream.first && state.behind === undefined) {
      this.#behind = { after: from, until: stream.first - 1 };
      await durables.note(settings.name, this.#behind);
    }
    await this.#readHistory(from, until);
    if (restarted && state.unacked > 0) this.#held ??= new Map();
    this.#begun = true;

    const reader = await durables.read(settings.name, settings.maxUnacked, signal);
    try {
      await this.#takeFrom(reader);
    } finally {
      reader.close();
    }
  }

  /** Where a durable that is gone, or was never there, begins. */
  async #resumeAfter(): Promise<number> {
    const { history, settings, from } = this.#parts;
    if (this.#acked !== undefined) return Math.min(this.#acked, this.#behind?.after ?? this.#acked);
    return (await history.rememberedPosition(settings.name)) ?? (await history.startAfter(from));
  }

  async #readHistory(from: number, until: number): Promise<void> {
    const { history, signal, settings } = this.#parts;
    for (let after = from; after < until && !signal.aborted;) {
      const page = await history.page(after);
      const next = Math.min(until, Math.max(page.next, after));
      for (const event of page.events) {
        if (event.position > until || this.#taken.has(event.position)) continue;
        if (!this.#wanted(event)) continue;
        while (this.#open.size >= settings.maxUnacked && !signal.aborted) await this.#whenRoom();
        if (signal.aborted) return;
        this.#begin(event, undefined);
        this.#taken.add(event.position, event.position);
      }
      this.#taken.add(after + 1, next);
      if (next === after) throw new TocsinError('TCN_UNAVAILABLE', `the log ends at ${page.head}, before ${until}`);
      after = next;
      await this.#noteProgress(after);
    }
  }

  async #takeFrom(reader: DurableReader): Promise<void> {
    const { signal, settings } = this.#parts;
    const heldUntilMs = performance.now() + PATIENCE * settings.ackWaitMs;
    while (!signal.aborted) {
      const messages = await reader.take(IDLE_MS);
      if (this.#held === undefined) {
        await this.#requireWhole(messages);
        for (const message of messages) this.#take(message);
      } else {
        for (const message of messages) this.#held.set(message.position, message);
        await this.#beginHeld(heldUntilMs);
      }
      if (performance.now() - this.#lookedAtMs > LOOK_MS) await this.#look();
    }
  }

  /** A predecessor's messages are all here once the server counts no more than these as delivered and not acknowledged. */
  async #beginHeld(untilMs: number): Promise<void> {
    const { durables, settings } = this.#parts;
    const held = this.#held;
    if (held === undefined) return;
    const state = await durables.find(settings.name);
    if (state === undefined) return;
    if (state.unacked > held.size) {
      if (performance.now() < untilMs) return;
      const detail = `another process seems to consume durable ${settings.name}, too: events of a subject may come out of order`;
      this.#parts.onError(new TocsinError('TCN_CONFLICT', detail));
    }
    this.#held = undefined;
    this.#chain = undefined;
    for (const message of [...held.values()].toSorted((one, other) => one.position - other.position))
      this.#take(message);
  }

  /** The stream may have dropped, at its limits, what this durable had not been sent yet. That is read from the log, and first. */
  async #requireWhole(messages: readonly DurableMessage[]): Promise<void> {
    let last = Math.max(this.#taken.last, this.#acked ?? 0);
    for (const { position } of messages) {
      if (position > last + 1) {
        const stream = await this.#parts.durables.stream();
        if (stream !== undefined && stream.first <= last + 1) return;
        throw new TocsinError(
          'TCN_UNAVAILABLE',
          `the stream no longer reaches back to ${last + 1}; going on in the log`,
        );
      }
      last = Math.max(last, position);
    }
  }

  #take(message: DurableMessage): void {
    const { position, delivery, event } = message;
    const open = this.#open.get(position);
    const known = open !== undefined || position <= (this.#acked ?? 0) || this.#taken.has(position);
    if (open !== undefined) open.message = message;
    else if (known) message.ack();
    else if (this.#wanted(event)) this.#begin(event, message);
    else message.ack();

    const follows =
      this.#chain !== undefined && delivery === this.#chain.delivery + 1 && position > this.#chain.position;
    if (!known) this.#taken.add(follows && this.#chain !== undefined ? this.#chain.position + 1 : position, position);
    this.#chain = { delivery, position: Math.max(position, follows ? 0 : (this.#chain?.position ?? 0)) };
  }

  #begin(event: RecordedEvent, message: DurableMessage | undefined): void {
    this.#open.set(event.position, { message });
    this.#lanes.push(event);
  }

  #wanted(event: RecordedEvent): boolean {
    const { types, subject, withheld } = this.#parts;
    if (!withheld && isWithheld(event)) return false;
    if (subject !== undefined && event.subject !== subject) return false;
    return types === undefined || types.some((pattern) => typeMatches(pattern, event.type));
  }

  #done(position: number): void {
    this.#open.get(position)?.message?.ack();
    this.#open.delete(position);
    this.#room?.();
  }

  #whenRoom(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#room = undefined;
        this.#parts.signal.removeEventListener('abort', done);
        resolve();
      };
      this.#room = done;
      this.#parts.signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Looks how the durable stands; ends the session where it is gone. */
  async #look(): Promise<void> {
    const { durables, settings } = this.#parts;
    this.#lookedAtMs = performance.now();
    const state = await durables.find(settings.name);
    if (state === undefined) throw new TocsinError('TCN_UNAVAILABLE', `durable ${settings.name} is gone`);
    this.#acked = Math.max(this.#acked ?? 0, state.acked);
    this.#taken.forget(this.#acked);
    await this.#noteProgress(this.#taken.last);
  }

  /** Notes in the durable how much of what it does not cover is handled; `read`: what lies behind has not been looked at yet. */
  async #noteProgress(read: number): Promise<void> {
    const behind = this.#behind;
    if (behind === undefined) return;
    const waiting = [...this.#open.keys()].filter((position) => position <= behind.until);
    const after = waiting.length === 0 ? Math.min(read, behind.until) : Math.min(...waiting) - 1;
    if (after === behind.after) return;
    const next = after < behind.until ? { after, until: behind.until } : undefined;
    await this.#parts.durables.note(this.#parts.settings.name, next);
    this.#behind = next;
  }

  #touch(): void {
    for (const { message } of this.#open.values()) message?.working();
    for (const message of this.#held?.values() ?? []) message.working();
  }
}
