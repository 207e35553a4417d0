import { askFilter } from '@tocsin/cel';
import {
  type LogStart,
  type SubscriptionSpec,
  subscriptionDeclaredSchema,
  REGISTRY_EVENTS,
  subscriptionRemovedSchema,
} from '@tocsin/contracts';
import { clauseMatches, clauseWantsType, labelsMatch, type RecordedEvent, shardOf } from '@tocsin/domain';

/** The registry's events about a subscription have the subject `subscription/<name>`. */
const SUBJECT_PREFIX = 'subscription/';

/** A subscription as it stood for the positions in (fromPosition, toPosition]. */
export interface SubscriptionRevision {
  readonly name: string;
  readonly shard: number;
  readonly fromPosition: number;
  /** Undefined for the revision in force. */
  toPosition: number | undefined;
  readonly spec: SubscriptionSpec;
  readonly sealedRef: string;
  /** Where in the past the subscription began, on the revision that created it. */
  readonly history: LogStart | undefined;
}

/** A filter failed on an event, for the reason given. */
export type FilterFailed = (revision: SubscriptionRevision, event: RecordedEvent, why: string) => void;

/** What an event changed. */
export type SubscriptionChange =
  | { kind: 'declared'; created: boolean; revision: SubscriptionRevision; closed: SubscriptionRevision | undefined }
  | { kind: 'removed'; closed: SubscriptionRevision };

/**
 * The subscriptions as of any position that still matters. They change by events in the same log that they are matched against, so
 * which events a subscriber gets is decided by positions: those after the event that created it, up to the one that removed it.
 */
export class SubscriptionBook {
  readonly #revisions = new Map<string, SubscriptionRevision[]>();
  /** Revisions that want an event type, of all shards. Types are few, so this is nearly always a look-up. */
  readonly #wanting = new Map<string, SubscriptionRevision[]>();

  /** @param onFilterFailed hears of events that a filter fails on, which go nowhere, as they are matched */
  constructor(
    private readonly shards: number,
    private readonly onFilterFailed?: FilterFailed,
  ) {}

  /** Puts back a revision that was stored, unless it is known. */
  restore(revision: SubscriptionRevision): void {
    const known = this.#revisions.get(revision.name) ?? [];
    const same = known.find((one) => one.fromPosition === revision.fromPosition);
    if (same !== undefined) {
      same.toPosition ??= revision.toPosition;
      return;
    }
    this.#revisions.set(
      revision.name,
      [...known, revision].sort((a, b) => a.fromPosition - b.fromPosition),
    );
    this.#wanting.clear();
  }

  /**
   * Applies an event of the log, if it is about a subscription. One that was applied before, here or by another replica whose rows
   * were restored, changes nothing more, but what it changed is told again: who hears of it goes by its position.
   */
  apply(event: RecordedEvent): SubscriptionChange | undefined {
    switch (event.type) {
      case REGISTRY_EVENTS.subscriptionCreated:
      case REGISTRY_EVENTS.subscriptionUpdated:
      case REGISTRY_EVENTS.subscriptionPaused:
      case REGISTRY_EVENTS.subscriptionResumed:
        return this.#declare(event);
      case REGISTRY_EVENTS.subscriptionRemoved:
        return this.#remove(event);
      default:
        return undefined;
    }
  }

  /** The revision in force now; undefined where there is no such subscription. */
  current(name: string): SubscriptionRevision | undefined {
    return this.#revisions.get(name)?.findLast((revision) => revision.toPosition === undefined);
  }

  /** Names of all subscriptions of which a revision is known. */
  get names(): string[] {
    return [...this.#revisions.keys()];
  }

  /** The known revisions of a subscription, in order of position. */
  revisionsOf(name: string): readonly SubscriptionRevision[] {
    return this.#revisions.get(name) ?? [];
  }

  /** Does the subscription that this revision belongs to live on? One made again under the same name is another one. */
  lives(revision: SubscriptionRevision): boolean {
    if (revision.toPosition === undefined) return true;
    const next = this.#revisions.get(revision.name)?.find((one) => one.fromPosition === revision.toPosition);
    return next !== undefined && this.lives(next);
  }

  /** The revision that made the subscription that is in force now, as far back as revisions are known. */
  birthOf(name: string): SubscriptionRevision | undefined {
    const revisions = this.#revisions.get(name) ?? [];
    let birth = this.current(name);
    for (let before = birth; before !== undefined;) {
      birth = before;
      const { fromPosition }: SubscriptionRevision = before;
      before = revisions.find((revision) => revision.toPosition === fromPosition);
    }
    return birth;
  }

  /** Forgets revisions that ended before `position`: nothing before it will be matched again. */
  dropBefore(position: number): void {
    for (const [name, revisions] of this.#revisions) {
      const kept = revisions.filter((revision) => revision.toPosition === undefined || revision.toPosition >= position);
      if (kept.length === revisions.length) continue;
      if (kept.length === 0) this.#revisions.delete(name);
      else this.#revisions.set(name, kept);
      this.#wanting.clear();
    }
  }

  /** Type patterns of all known revisions of a subscription: whatever it wants at any position is among these. */
  typesOf(name: string): string[] {
    return [...new Set(this.#revisions.get(name)?.flatMap((revision) => revision.spec.types))];
  }

  /** Is this event about a subscription of `shard`? */
  isInShard({ subject }: Pick<RecordedEvent, 'subject'>, shard: number): boolean {
    return subject.startsWith(SUBJECT_PREFIX) && shardOf(subject.slice(SUBJECT_PREFIX.length), this.shards) === shard;
  }

  /** The subscriptions of `shard` that this event goes to. */
  matching(event: RecordedEvent, shard: number): SubscriptionRevision[] {
    return this.matchingAnywhere(event, (revision) => revision.shard === shard);
  }

  /** The subscriptions that this event goes to, of those that `among` lets through. */
  matchingAnywhere(
    event: RecordedEvent,
    among: (revision: SubscriptionRevision) => boolean = () => true,
  ): SubscriptionRevision[] {
    return this.#wantingType(event.type).filter(
      (revision) =>
        among(revision) &&
        event.position > revision.fromPosition &&
        (revision.toPosition === undefined || event.position <= revision.toPosition) &&
        labelsMatch(revision.spec.labels, event) &&
        this.#passes(revision, event),
    );
  }

  /** Does this event go to the subscription, as it stood at the event's position or as it began in the past? */
  wants(name: string, event: RecordedEvent): boolean {
    const revisions = this.#revisions.get(name) ?? [];
    return revisions.some(
      (revision) =>
        (revision.toPosition === undefined || event.position <= revision.toPosition) &&
        (event.position > revision.fromPosition || isHistoryOf(revision, event)) &&
        clauseMatches(revision.spec, event, askFilter),
    );
  }

  #passes(revision: SubscriptionRevision, event: RecordedEvent): boolean {
    const mismatch = askFilter(revision.spec, event);
    if (mismatch?.failed !== undefined) this.onFilterFailed?.(revision, event, mismatch.failed);
    return mismatch === undefined;
  }

  #wantingType(type: string): SubscriptionRevision[] {
    let wanting = this.#wanting.get(type);
    if (wanting === undefined) {
      wanting = [...this.#revisions.values()].flat().filter((revision) => clauseWantsType(revision.spec, type));
      // Producers choose their types; a flood of new ones must not grow the cache without bound.
      if (this.#wanting.size >= 1000) this.#wanting.clear();
      this.#wanting.set(type, wanting);
    }
    return wanting;
  }

  #declare(event: RecordedEvent): SubscriptionChange | undefined {
    const data = subscriptionDeclaredSchema.parse(event.data);
    const created = event.type === REGISTRY_EVENTS.subscriptionCreated;
    const revisions = this.#revisions.get(data.name) ?? [];
    const known = revisions.find((revision) => revision.fromPosition === event.position);
    if (known !== undefined) {
      const closed = revisions.find((revision) => revision.toPosition === event.position);
      return { kind: 'declared', created, revision: known, closed };
    }
    // Later ones are known and this one was dropped: nothing will be matched against it again.
    if (revisions.some((revision) => revision.fromPosition > event.position)) return undefined;
    const closed = this.#close(data.name, event.position);
    const { from } = data.spec;
    const revision: SubscriptionRevision = {
      name: data.name,
      shard: shardOf(data.name, this.shards),
      fromPosition: event.position,
      toPosition: undefined,
      spec: data.spec,
      sealedRef: data.sealedRef,
      history: created && typeof from === 'object' ? from : undefined,
    };
    this.#revisions.set(data.name, [...revisions, revision]);
    this.#wanting.clear();
    return { kind: 'declared', created, revision, closed };
  }

  #remove(event: RecordedEvent): SubscriptionChange | undefined {
    const { name } = subscriptionRemovedSchema.parse(event.data);
    const closed =
      this.#revisions.get(name)?.find((revision) => revision.toPosition === event.position) ??
      this.#close(name, event.position);
    return closed === undefined ? undefined : { kind: 'removed', closed };
  }

  #close(name: string, position: number): SubscriptionRevision | undefined {
    const open = this.current(name);
    if (open === undefined || open.fromPosition >= position) return undefined;
    open.toPosition = position;
    return open;
  }
}

/** Is it from before the subscription was made, and did that ask for it? */
export function isHistoryOf(revision: SubscriptionRevision, event: RecordedEvent): boolean {
  const { history } = revision;
  if (history === undefined || event.position > revision.fromPosition) return false;
  return 'position' in history
    ? event.position > history.position
    : Date.parse(event.recordedAt) >= Date.parse(history.time);
}
