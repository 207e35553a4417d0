import type { HeartbeatTokens, KeySpec, SubscriptionSpec, TargetKind, TargetSpec } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { type Change, changeOf, isOwnSubject } from './change.js';

/** What the projection keeps of anything declared. */
interface Declared<Spec> {
  readonly name: string;
  readonly spec: Spec;
  readonly owner: string | null;
  /** Position of the event that last changed the declaration. */
  readonly revision: number;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339. */
  readonly updatedAt: string;
}

/** A row of `registry.target`. */
export interface TargetRow extends Declared<TargetSpec> {
  /** Of a heartbeat: what its tokens are known by. */
  readonly heartbeat?: HeartbeatTokens;
}

/** A row of `registry.subscription`. */
export interface SubscriptionRow extends Declared<SubscriptionSpec> {
  /** Names the sealed envelope with the part that is not in `spec`. */
  readonly sealedRef: string;
}

/** A row of `registry.disablement`. */
export type DisablementRow = Omit<Extract<Change, { kind: 'subscription-disabled' }>, 'kind'>;

/** A row of `registry.api_key`. */
export interface KeyRow extends Omit<Declared<KeySpec>, 'owner'> {
  /** Names the hash, and finds the key. */
  readonly keyId: string;
}

/** A row of `registry.target_health`. */
export type HealthRow = Omit<Extract<Change, { kind: 'target-judged' }>, 'kind'>;

/**
 * A health row that goes because a new life begins. Observers say of that life that it is up as of something new; but an outage that
 * was announced stays announced until its recovery is.
 */
export interface Forgetting {
  readonly targetKind: TargetKind;
  readonly name: string;
  /** `always`: the row is known to say up. `if-up`: what the stored row says decides. */
  readonly forget: 'always' | 'if-up';
}

/** Of a row that is there already, what the next event needs of it. */
export interface Standing {
  readonly createdAt: string;
  readonly owner: string | null;
  readonly sealedRef?: string;
  readonly keyId?: string;
}

/** One event and what it changes. */
export interface ReadEvent {
  readonly event: RecordedEvent;
  readonly change: Change | undefined;
}

/** Reads a batch. @throws ZodError as {@link changeOf} */
export function readEvents(events: readonly RecordedEvent[]): ReadEvent[] {
  return events.map((event) => ({ event, change: changeOf(event) }));
}

/** What must be known of the rows that are there before the batch can be applied. */
export interface StandingRows {
  readonly targets: ReadonlyMap<string, Standing>;
  readonly subscriptions: ReadonlyMap<string, Standing>;
  readonly keys: ReadonlyMap<string, Standing>;
}

/** Names whose rows must be known before the batch can be applied. */
export function namesIn(batch: readonly ReadEvent[]): Record<keyof StandingRows, string[]> {
  const keys = new Set<string>();
  const targets = new Set<string>();
  const subscriptions = new Set<string>();
  for (const { change } of batch) {
    if (change?.kind === 'target-declared' || change?.kind === 'target-removed') targets.add(change.name);
    if (change?.kind === 'subscription-declared' || change?.kind === 'subscription-removed') {
      subscriptions.add(change.name);
    }
    if (change?.kind === 'key-declared' || change?.kind === 'key-removed') keys.add(change.name);
  }
  return { targets: [...targets], subscriptions: [...subscriptions], keys: [...keys] };
}

/**
 * The rows a batch of events touches, as they are to be written: events are folded here in memory, and the store writes the
 * outcome in a few statements, however many events there were. `null` = the row goes.
 */
export class WorkingSet {
  readonly targets = new Map<string, TargetRow | null>();
  readonly subscriptions = new Map<string, SubscriptionRow | null>();
  readonly disablements = new Map<string, DisablementRow | null>();
  readonly keys = new Map<string, KeyRow | null>();
  /** By `<kind>/<name>`. */
  readonly health = new Map<string, HealthRow | Forgetting>();
  readonly versions = new Map<string, number>();
  /** Sealed envelopes that nothing refers to any more. */
  readonly erasedSeals: string[] = [];
  /** Ids of keys that are nobody's any more: their hashes go. */
  readonly erasedKeys: string[] = [];
  readonly #standing: StandingRows;

  constructor(standing: StandingRows) {
    this.#standing = standing;
  }

  /** Folds one event in. Events come in order of position. */
  apply({ event, change }: ReadEvent): void {
    if (isOwnSubject(event.subject)) this.versions.set(event.subject, event.version);
    switch (change?.kind) {
      case 'target-declared': {
        const before = rowBefore(this.targets, this.#standing.targets, change.name);
        const { name, spec, heartbeat } = change;
        const known = heartbeat === undefined ? {} : { heartbeat };
        this.targets.set(name, { name, spec, ...known, ...declared(event, change, before) });
        if (change.begins) this.#begin(change.spec.kind, change.name);
        break;
      }
      case 'target-removed':
        this.targets.set(change.name, null);
        break;
      case 'target-judged': {
        const { kind: _, ...row } = change;
        this.health.set(healthKey(row.targetKind, row.name), row);
        break;
      }
      case 'subscription-declared': {
        const { name, spec, sealedRef } = change;
        const before = rowBefore(this.subscriptions, this.#standing.subscriptions, name);
        if (before?.sealedRef !== undefined && before.sealedRef !== sealedRef) this.erasedSeals.push(before.sealedRef);
        this.subscriptions.set(name, { name, spec, sealedRef, ...declared(event, change, before) });
        this.disablements.set(name, null);
        break;
      }
      case 'subscription-removed': {
        const before = rowBefore(this.subscriptions, this.#standing.subscriptions, change.name);
        if (before?.sealedRef !== undefined) this.erasedSeals.push(before.sealedRef);
        this.subscriptions.set(change.name, null);
        this.disablements.set(change.name, null);
        break;
      }
      case 'subscription-disabled': {
        const { kind: _, ...row } = change;
        this.disablements.set(row.name, row);
        break;
      }
      case 'key-declared': {
        const { name, spec, keyId } = change;
        const before = rowBefore(this.keys, this.#standing.keys, name);
        if (before?.keyId !== undefined && before.keyId !== keyId) this.erasedKeys.push(before.keyId);
        const { owner: _, ...row } = declared(event, {}, before);
        this.keys.set(name, { name, spec, keyId, ...row });
        break;
      }
      case 'key-removed': {
        const before = rowBefore(this.keys, this.#standing.keys, change.name);
        if (before?.keyId !== undefined) this.erasedKeys.push(before.keyId);
        this.keys.set(change.name, null);
        break;
      }
      case undefined:
        break;
    }
  }

  #begin(targetKind: TargetKind, name: string): void {
    const key = healthKey(targetKind, name);
    const row = this.health.get(key);
    if (row === undefined) this.health.set(key, { targetKind, name, forget: 'if-up' });
    else if ('state' in row && row.state === 'up') this.health.set(key, { targetKind, name, forget: 'always' });
  }
}

function healthKey(kind: TargetKind, name: string): string {
  return `${kind}/${name}`;
}

function rowBefore(
  touched: ReadonlyMap<string, (Omit<Standing, 'owner'> & { readonly owner?: string | null }) | null>,
  stored: ReadonlyMap<string, Standing>,
  name: string,
): Standing | undefined {
  const row = touched.get(name);
  if (row === undefined) return stored.get(name);
  return row === null ? undefined : { owner: null, ...row };
}

function declared(event: RecordedEvent, change: { readonly owner?: string }, before: Standing | undefined) {
  return {
    // Whoever declares it with an owner owns it from then on: an apply refuses what is another's, unless it takes it over.
    owner: change.owner ?? before?.owner ?? null,
    revision: event.position,
    createdAt: before?.createdAt ?? event.time,
    updatedAt: event.time,
  };
}
