import type { SubscriptionSpec, SubscriptionView } from '@tocsin/contracts';
import type { Queryable } from '@tocsin/postgres';
import { type Page, pageOf, type PageRequest, pageStatement } from '../request/page.js';
import { subscriptionSubject } from '../projection/change.js';

// Index: disablement_pkey, once a subscription. One of an earlier declaration is void.
const shown = (subscriptions: string): string => `
  SELECT s.name, s.spec, s.revision, s.created_at, s.updated_at, d.since AS disabled_since, d.reason, d.answer
    FROM (${subscriptions}) s
    LEFT JOIN registry.disablement d ON d.name = s.name AND d.revision >= s.revision
   ORDER BY s.name`;
const ONE = shown(`SELECT * FROM registry.subscription WHERE name = $1`);
const STANDING = `
  SELECT v.subject, v.version, s.spec, s.revision, s.owner, s.sealed_ref, sealed.envelope, d.name IS NOT NULL AS disabled
    FROM registry.subject_version v
    LEFT JOIN registry.subscription s ON s.name = substr(v.subject, 14)
    LEFT JOIN registry.disablement d ON d.name = s.name AND d.revision >= s.revision
    LEFT JOIN registry.sealed ON sealed.ref = s.sealed_ref
   WHERE v.subject = ANY($1)`;
// Reads the whole table: once an apply that prunes.
const OWNED = `SELECT name FROM registry.subscription WHERE owner = $1 ORDER BY name`;

interface ShownRow {
  name: string;
  spec: SubscriptionSpec;
  revision: number;
  created_at: string;
  updated_at: string;
  disabled_since: string | null;
  reason: string | null;
  answer: string | null;
}

/** How a subscription's declaration stands, for whoever wants to change it. */
export interface StandingSubscription {
  /** Version of its subject; 0 if there never was an event of it. */
  readonly version: number;
  /** Absent where no subscription of the name is declared now. */
  readonly declared?: {
    /** Redacted. */
    readonly spec: SubscriptionSpec;
    readonly revision: number;
    /** Whose it is; absent where it is nobody's. */
    readonly owner?: string;
    readonly sealedRef: string;
    /** Delivery has given up on it. */
    readonly disabled: boolean;
    /** Sealed; absent only if the table was damaged. */
    readonly envelope?: Buffer;
  };
}

/** Reads subscriptions from the projection. */
export class SubscriptionStore {
  readonly #database: Queryable;

  constructor(database: Queryable) {
    this.#database = database;
  }

  /** A subscription as the API shows it; undefined if none of the name is declared. */
  async find(name: string): Promise<SubscriptionView | undefined> {
    const [row] = await this.#database.query<ShownRow>(ONE, [name]);
    return row === undefined ? undefined : viewOf(row);
  }

  /** Subscriptions in order of their names. */
  async page(request: PageRequest): Promise<Page<SubscriptionView>> {
    const { sql, params } = pageStatement('subscription', request);
    const rows = await this.#database.query<ShownRow>(shown(sql), params);
    return pageOf(rows.map(viewOf), request.limit);
  }

  /** How each of the named subscriptions stands; every name is answered. */
  async standing(names: readonly string[]): Promise<Map<string, StandingSubscription>> {
    const rows = await this.#database.query<{
      subject: string;
      version: number;
      spec: SubscriptionSpec | null;
      revision: number | null;
      owner: string | null;
      sealed_ref: string | null;
      envelope: Buffer | null;
      disabled: boolean;
    }>(STANDING, [names.map(subscriptionSubject)]);
    const bySubject = new Map(rows.map((row) => [row.subject, row]));
    return new Map(
      names.map((name): [string, StandingSubscription] => {
        const row = bySubject.get(subscriptionSubject(name));
        if (row === undefined) return [name, { version: 0 }];
        const { version, spec, revision, sealed_ref: sealedRef, disabled } = row;
        if (spec === null || revision === null || sealedRef === null) return [name, { version }];
        const envelope = row.envelope === null ? {} : { envelope: row.envelope };
        const owner = row.owner === null ? {} : { owner: row.owner };
        return [name, { version, declared: { spec, revision, sealedRef, disabled, ...owner, ...envelope } }];
      }),
    );
  }

  /** Names of all that is an owner's, in order. */
  async ownedBy(owner: string): Promise<string[]> {
    return (await this.#database.query<{ name: string }>(OWNED, [owner])).map(({ name }) => name);
  }
}

function viewOf(row: ShownRow): SubscriptionView {
  const { disabled_since: since, reason, answer } = row;
  const disabled =
    since === null || reason === null ? undefined : { since, reason, ...(answer === null ? {} : { answer }) };
  return {
    name: row.name,
    ...row.spec,
    state: disabled !== undefined ? 'disabled' : row.spec.paused === true ? 'paused' : 'active',
    ...(disabled === undefined ? {} : { disabled }),
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
