import { type RecordedEvent, TocsinError } from '@tocsin/domain';
import { Broker, EventDurables, eventFilters } from '@tocsin/jetstream';
import { DurableLease } from './durable-lease.js';
import { EventConsumption } from './event-consumption.js';
import { LogHistory, requireStart, type StartFrom } from './log-history.js';
import type { HandlingContext } from './subject-lanes.js';
import type { TocsinEvent } from './tocsin-event.js';

export type { HandlingContext, StartFrom, TocsinEvent };

/** What one of several processes under the same durable does. */
export type ConsumerRole = 'active' | 'standby';

export interface ConsumeOptions<Type extends string = string> {
  /** `nats://user:pass@host:4222`, several separated by commas. */
  servers: string;
  /**
   * Name of the durable: whoever consumes under it goes on where it was left. Letters, digits, "-" and "_". Of several processes under one name
   * one works, and the others take its place when it ends or dies.
   */
  durable: string;
  /** Types, or patterns of types as subscriptions have them. Default: all. */
  types?: readonly Type[];
  /** Only events about this subject: `node/edge-fra-17`. */
  subject?: string;
  /**
   * Also what is recorded and told to nobody, because of maintenance, flapping, a dead parent or an outage of the group (extension
   * `withheld`). Default false.
   */
  withheld?: boolean;
  /** Where to begin if the durable has never been there. Default `now`. */
  from?: StartFrom;
  /** Handles one event; when it resolves, the event is acknowledged. If it throws, the same event is handed over again. */
  onEvent: (event: TocsinEvent<Type>, context: HandlingContext) => Promise<void>;
  /**
   * Told of every failed handler (with its event) and of every interruption (without). Nothing needs doing: it carries on by itself.
   */
  onError?: (error: unknown, event?: RecordedEvent) => void;
  /** Told whether this process works (`active`) or waits until another one ends (`standby`), each time that changes. */
  onRole?: (role: ConsumerRole) => void;
  /** Ends the consuming. */
  signal: AbortSignal;
  /** Handlers at a time, each for another subject. Default 16. */
  concurrency?: number;
  /** Events in hand at a time: running, waiting behind one of their subject, waiting to be tried again. Default 512. */
  maxUnacked?: number;
  /** Milliseconds after which another process takes the place of this one, and gets what it had in hand, when it died. Default 10000. */
  ackWaitMs?: number;
}

const DURABLE_NAME = /^[A-Za-z0-9_-]{1,128}$/;

/**
 * Consumes events as a durable of the stream EVENTS until `signal` aborts. Resolves when the handlers that run then have ended.
 *
 * - In order per subject, subjects side by side. A subject whose handler fails waits (100 ms doubling to 30 s) and keeps nobody else
 *   waiting, as long as fewer than `maxUnacked` events wait behind it and its like.
 * - One process at a time. Start as many as you like: the others stand by. One that was stopped or cut off for longer than `ackWaitMs` begins nothing
 *   more until it knows that nobody has taken its place. What is running in it then runs to its end.
 * - At least once. An event is handled again only if the process died, or was killed, between its handling and its acknowledgement.
 *   Deduplicate by `event.position` where that matters.
 * - What the stream no longer holds is read from the log first. A broker that loses its store costs nothing but the time it is away: the
 *   durable is made again after what was acknowledged, by this process or, where it was off meanwhile, by the event recorder.
 * @throws TocsinError `TCN_INVALID` (an option), `TCN_NATS_UNREACHABLE`, `TCN_NATS_UNSUITABLE`, `TCN_CONFIG` at the first connection
 */
export async function consumeEvents<const Type extends string = string>(options: ConsumeOptions<Type>): Promise<void> {
  const { durable, types, subject, withheld = false, from = 'now', signal } = options;
  if (!DURABLE_NAME.test(durable)) {
    throw new TocsinError('TCN_INVALID', 'the name of a durable is 1 to 128 letters, digits, "-" and "_"');
  }
  requireStart(from);
  const concurrency = positive('concurrency', options.concurrency ?? 16, 1);
  const maxUnacked = positive('maxUnacked', options.maxUnacked ?? 512, 1);
  const ackWaitMs = positive('ackWaitMs', options.ackWaitMs ?? 10_000, 500);
  const filters = eventFilters({ types, subject, withheld });
  if (signal.aborted) return;
  const broker = await Broker.connect({ servers: options.servers, name: `consumer ${durable}` });
  try {
    const wanted = {
      ...(types === undefined ? {} : { types: [...types] }),
      ...(subject === undefined ? {} : { subject }),
    };
    const durables = new EventDurables(broker);
    const parts = {
      durables,
      history: new LogHistory(broker, wanted),
      settings: { name: durable, filters, ackWaitMs, maxUnacked },
      types,
      subject,
      withheld,
      from,
      concurrency,
      // The filters let through nothing but events of these types.
      handle: (event: RecordedEvent, context: HandlingContext) => options.onEvent(event as TocsinEvent<Type>, context),
      onError: (error: unknown, event?: RecordedEvent) => options.onError?.(error, event),
    };
    while (!signal.aborted) {
      const lease = await DurableLease.take({
        broker,
        durables,
        durable,
        leaseMs: ackWaitMs,
        onStandby: () => options.onRole?.('standby'),
        onError: parts.onError,
        signal,
      });
      if (lease === undefined) break;
      options.onRole?.('active');
      const consumption = new EventConsumption({
        ...parts,
        mayBegin: () => lease.isCertain(),
        signal: AbortSignal.any([signal, lease.lost]),
      });
      lease.onResumed(() => consumption.resume());
      try {
        await consumption.run();
      } finally {
        await lease.release();
      }
      if (lease.lost.aborted) parts.onError(lease.lost.reason);
    }
  } finally {
    await broker.close();
  }
}

function positive(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new TocsinError('TCN_INVALID', `${name} must be a whole number of at least ${least}`);
}
