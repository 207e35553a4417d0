import { type CloudEvent, type Clock, fromCloudEvent, TocsinError, typeMatches } from '@tocsin/domain';
import { z } from 'zod';
import type { TocsinEvent } from '../tocsin-event.js';
import type { Inbox } from './inbox.js';
import { DeliveryRefused } from './refusal.js';
import { type DeliveryHeaders, signingKey, type VerifiedDelivery, verifyDelivery } from './verify-delivery.js';

/** Standard Webhooks' own figure: five minutes for clocks that differ and networks that dawdle. */
const TOLERANCE_MS = 5 * 60_000;
/** Tocsin sends 256 KiB at most; a little room for what a proxy adds. */
const MOST_BYTES = 512 * 1024;

const systemClock: Pick<Clock, 'now'> = { now: () => Date.now() };

/** What a handler is told beside the event. */
export interface ReceivedContext<Transaction> extends VerifiedDelivery {
  /** Whatever the handler writes through it is committed together with the remembering of the event, or not at all. */
  transaction: Transaction;
}

/** How an {@link EventReceiver} works. */
export interface ReceiverOptions<Type extends string, Transaction> {
  /** Signing secrets in use now, `whsec_…`; a function where they change while the process runs. One of them has to fit. */
  secrets: readonly string[] | (() => readonly string[] | Promise<readonly string[]>);
  /** Where it is remembered what was handled. */
  inbox: Inbox<Transaction>;
  /** Types, or patterns of types, that are handled; others are taken and passed over. Default: all. */
  types?: readonly Type[];
  /** Only the newest state of a subject counts: an event that comes after a newer one of its subject is not handled. Default false. */
  newestOnly?: boolean;
  /** Handles one event. If it rejects, nothing is remembered and Tocsin tries again. */
  onEvent(event: TocsinEvent<Type>, context: ReceivedContext<Transaction>): Promise<void>;
  /** How far the time of signing may be from this clock, milliseconds. Default five minutes. */
  toleranceMs?: number;
  /** Largest body taken, bytes. Default 512 KiB. */
  maxBytes?: number;
  clock?: Pick<Clock, 'now'>;
}

/**
 * What became of a request. `handled`: now; `repeated`: before, by this or another attempt; `outdated`: a newer event of its subject was
 * handled before; `passed-over`: of no type that is wanted. All of them are answered with success.
 */
export type Received = 'handled' | 'repeated' | 'outdated' | 'passed-over';

const eventSchema = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string(),
  recordedtime: z.string(),
  position: z.int().min(1),
  sequence: z.int().min(1),
});

/** Takes Tocsin's deliveries: proves them, handles each event once, and knows which are too late. */
export class EventReceiver<const Type extends string, Transaction> {
  /** Largest body taken, bytes. */
  readonly maxBytes: number;
  readonly #clock: Pick<Clock, 'now'>;
  #keys: { secrets: string; keys: Buffer[] } | undefined;

  /** @throws TocsinError `TCN_CONFIG` if there is no secret, or one is not what Tocsin shows */
  constructor(private readonly options: ReceiverOptions<Type, Transaction>) {
    this.maxBytes = options.maxBytes ?? MOST_BYTES;
    this.#clock = options.clock ?? systemClock;
    if (typeof options.secrets !== 'function') this.#keysOf(options.secrets);
  }

  /**
   * Takes one request.
   * @param request its headers, and the very bytes of its body
   * @throws DeliveryRefused where the request is not to be taken; TocsinError `TCN_CONFIG` for unusable secrets; whatever the inbox or
   * the handler throw
   */
  async receive(request: { headers: DeliveryHeaders; body: Uint8Array }): Promise<Received> {
    const { secrets, inbox, newestOnly = false } = this.options;
    if (request.body.length > this.maxBytes) throw tooLarge(this.maxBytes);
    const keys = this.#keysOf(typeof secrets === 'function' ? await secrets() : secrets);
    const verified = verifyDelivery(request, keys, {
      nowMs: this.#clock.now(),
      toleranceMs: this.options.toleranceMs ?? TOLERANCE_MS,
    });
    const event = eventOf(request.body);
    if (this.options.types?.some((pattern) => typeMatches(pattern, event.type)) === false) return 'passed-over';
    return inbox.transaction(async (transaction) => {
      if (!(await inbox.remember(transaction, verified.webhookId))) return 'repeated';
      if (newestOnly && !(await inbox.advance(transaction, event.subject, event.version))) return 'outdated';
      // Only events of these types come here; what is in them, their producer vouches for.
      await this.options.onEvent(event as TocsinEvent<Type>, { ...verified, transaction });
      return 'handled';
    });
  }

  #keysOf(secrets: readonly string[]): Buffer[] {
    if (secrets.length === 0) throw new TocsinError('TCN_CONFIG', 'a receiver needs a signing secret to verify with');
    const together = secrets.join(' ');
    if (this.#keys?.secrets !== together) this.#keys = { secrets: together, keys: secrets.map(signingKey) };
    return this.#keys.keys;
  }
}

/** A body beyond the limit. */
export function tooLarge(maxBytes: number): DeliveryRefused {
  return new DeliveryRefused('too-large', `the body is larger than ${maxBytes} bytes`);
}

function eventOf(body: Uint8Array): ReturnType<typeof fromCloudEvent> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return fromCloudEvent(eventSchema.parse(JSON.parse(text)) as unknown as CloudEvent);
  } catch (cause) {
    throw new DeliveryRefused(
      'no-event',
      'the signature holds, but the body is no structured CloudEvent of Tocsin: does the subscription have another `format`?',
      { cause },
    );
  }
}
