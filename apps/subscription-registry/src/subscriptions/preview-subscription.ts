import { askFilter } from '@tocsin/cel';
import {
  nameSchema,
  parseOrThrow,
  type PreviewedEvent,
  type PreviewReply,
  previewRequestSchema,
  type SubscriptionSpec,
} from '@tocsin/contracts';
import {
  type Clock,
  isTocsinError,
  type Mismatch,
  mismatchOf,
  type RecordedEvent,
  TocsinError,
  WITHHELD,
} from '@tocsin/domain';
import { previewRequests } from '@tocsin/webhook';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Requester } from '../log/registry-log.js';
import type { DeclareSubscription } from './declare-subscription.js';
import { newestEvents } from './newest-events.js';
import type { SubscriptionStore } from './subscription-store.js';

/** So long filters may be asked before others get their turn, milliseconds. */
const SLICE_MS = 10;
/** A filter that costs its cap on every event takes half a minute for a thousand; who waits for an answer gets a part of it. */
const LONGEST_MS = 5_000;
/** Previews under way in one process: they are arithmetic, and of that there is one processor. */
const MOST_AT_ONCE = 2;
/** Subjects may have a thousand characters; a list is read by people. */
const TEXT_CHARS = 200;

/** What previews are made from. */
export interface PreviewParts {
  readonly broker: Requester;
  readonly subscriptions: Pick<SubscriptionStore, 'standing'>;
  readonly declare: Pick<DeclareSubscription, 'run'>;
  readonly clock: Clock;
}

/**
 * Says what a subscription, as it stands or as it might be declared, would have been told: by the very functions that delivery decides
 * and renders by. Nothing is sent, nothing recorded, and no secret is touched.
 */
export class PreviewSubscription {
  readonly #parts: PreviewParts;
  #running = 0;

  constructor(parts: PreviewParts) {
    this.#parts = parts;
  }

  /**
   * @param request.body what `previewRequestSchema` takes, or nothing
   * @throws TocsinError `TCN_NOT_FOUND`; `TCN_INVALID`, `TCN_EGRESS_BLOCKED` as declaring it would; `TCN_OVERLOADED`;
   *   `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
   */
  async run(request: { name: string; body: unknown; actor: string }): Promise<PreviewReply> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const { last, subscription } = parseOrThrow(previewRequestSchema, request.body ?? {}, 'preview');
    if (this.#running >= MOST_AT_ONCE) {
      throw new TocsinError('TCN_OVERLOADED', `${MOST_AT_ONCE} previews are under way`, { retryAfterMs: 1_000 });
    }
    this.#running += 1;
    try {
      const spec =
        subscription === undefined
          ? await this.#standing(name)
          : await this.#wouldBe({ name, body: subscription, actor: request.actor });
      return await this.#look(name, spec, last);
    } finally {
      this.#running -= 1;
    }
  }

  async #standing(name: string): Promise<SubscriptionSpec> {
    const declared = (await this.#parts.subscriptions.standing([name])).get(name)?.declared;
    if (declared !== undefined) return declared.spec;
    const detail = `there is no subscription "${name}"; to look at one before it is declared, send it as "subscription"`;
    throw new TocsinError('TCN_NOT_FOUND', detail);
  }

  /** As a dry run of declaring it: the same checks, the same redacted forms. */
  async #wouldBe(request: { name: string; body: unknown; actor: string }): Promise<SubscriptionSpec> {
    try {
      return (await this.#parts.declare.run({ ...request, dryRun: true })).subscription;
    } catch (error) {
      if (!isTocsinError(error) || error.faults.length === 0) throw error;
      const faults = error.faults.map((fault) => ({ ...fault, pointer: `/subscription${fault.pointer}` }));
      throw new TocsinError(error.code, error.message, { cause: error, faults });
    }
  }

  async #look(name: string, spec: SubscriptionSpec, last: number): Promise<PreviewReply> {
    const { broker, clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const unmatched = { type: 0, withheld: 0, labels: 0, filter: 0 };
    const events: PreviewedEvent[] = [];
    let filterFailed = 0;
    let newest: RecordedEvent | undefined;
    let sliceMs = startedMs;
    look: for await (const page of newestEvents(broker, last)) {
      for (const event of page) {
        const mismatch = mismatchOf(spec, event, askFilter);
        events.push(previewed(event, mismatch));
        if (mismatch === undefined) newest ??= event;
        else unmatched[mismatch.clause] += 1;
        if (mismatch?.clause === 'filter' && mismatch.failed !== undefined) filterFailed += 1;
        const nowMs = clock.monotonicMs();
        if (nowMs - startedMs > LONGEST_MS) break look;
        if (nowMs - sliceMs < SLICE_MS) continue;
        await yieldToOthers();
        sliceMs = clock.monotonicMs();
      }
    }
    return {
      name,
      examined: events.length,
      matched: events.filter(({ matches }) => matches).length,
      unmatched,
      filterFailed,
      events,
      newestMatch:
        newest === undefined
          ? null
          : { position: newest.position, ...(await previewRequests(spec.destination, newest, clock.now())) },
    };
  }
}

function previewed(event: RecordedEvent, mismatch: Mismatch | undefined): PreviewedEvent {
  const { position, time, type, subject } = event;
  const base = { position, time, type, subject: cut(subject), matches: mismatch === undefined };
  if (mismatch === undefined) return base;
  const why = mismatch.clause === 'withheld' ? String(event.extensions[WITHHELD]) : whyOf(mismatch);
  return { ...base, clause: mismatch.clause, ...(why === undefined ? {} : { why: cut(why) }) };
}

function whyOf(mismatch: Mismatch): string | undefined {
  if (mismatch.clause === 'filter') return mismatch.failed;
  if (mismatch.clause !== 'labels') return undefined;
  const { label, wanted, found } = mismatch;
  return `${label} is ${found === undefined ? 'missing' : JSON.stringify(found)}, not ${JSON.stringify(wanted)}`;
}

function cut(text: string): string {
  return text.length <= TEXT_CHARS ? text : `${text.slice(0, TEXT_CHARS - 1)}…`;
}
