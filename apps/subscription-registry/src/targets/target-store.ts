import type { AnnouncedState, HeartbeatTokens, TargetSpec, TargetView } from '@tocsin/contracts';
import type { Queryable } from '@tocsin/postgres';
import { targetDeclarationSubject } from '../projection/change.js';
import { type Page, pageOf, type PageRequest, pageStatement } from '../request/page.js';

// Index: target_health_pkey, once a target; the planner must not read the whole table for a page.
const shown = (targets: string) => `
  SELECT t.name, t.spec, t.revision, t.created_at, t.updated_at, h.state, h.since, h.episode
    FROM (${targets}) t
    LEFT JOIN LATERAL (
         SELECT state, since, episode FROM registry.target_health WHERE kind = t.kind AND name = t.name OFFSET 0) h ON true
   ORDER BY t.name`;
const ONE = shown('SELECT * FROM registry.target WHERE name = $1');
const STANDING = `
  SELECT s.subject, s.version, t.spec, t.revision, t.owner, t.heartbeat
    FROM registry.subject_version s
    LEFT JOIN registry.target t ON t.name = substr(s.subject, 8)
   WHERE s.subject = ANY($1)`;
// Reads the whole table: once an apply that prunes.
const OWNED = `SELECT name FROM registry.target WHERE owner = $1 ORDER BY name`;

interface ShownRow {
  name: string;
  spec: TargetSpec;
  revision: number;
  created_at: string;
  updated_at: string;
  state: AnnouncedState | null;
  since: string | null;
  episode: string | null;
}

/** How a target's declaration stands, for whoever wants to change it. */
export interface StandingTarget {
  /** Version of its subject; 0 if there never was an event of it. */
  readonly version: number;
  /** Absent where no target of the name is declared now. */
  readonly declared?: {
    readonly spec: TargetSpec;
    readonly revision: number;
    /** Whose it is; absent where it is nobody's. */
    readonly owner?: string;
    /** Of a heartbeat: what its tokens are known by. */
    readonly heartbeat?: HeartbeatTokens;
  };
}

/** Reads targets from the projection. */
export class TargetStore {
  readonly #database: Queryable;

  constructor(database: Queryable) {
    this.#database = database;
  }

  /** A target as the API shows it; undefined if none of the name is declared. */
  async find(name: string): Promise<TargetView | undefined> {
    const [row] = await this.#database.query<ShownRow>(ONE, [name]);
    return row === undefined ? undefined : viewOf(row);
  }

  /** Targets in order of their names. */
  async page(request: PageRequest): Promise<Page<TargetView>> {
    const { sql, params } = pageStatement('target', request);
    const rows = await this.#database.query<ShownRow>(shown(sql), params);
    return pageOf(rows.map(viewOf), request.limit);
  }

  /** How each of the named targets stands; every name is answered. */
  async standing(names: readonly string[]): Promise<Map<string, StandingTarget>> {
    const rows = await this.#database.query<{
      subject: string;
      version: number;
      spec: TargetSpec | null;
      revision: number | null;
      owner: string | null;
      heartbeat: HeartbeatTokens | null;
    }>(STANDING, [names.map(targetDeclarationSubject)]);
    const bySubject = new Map(rows.map((row) => [row.subject, row]));
    return new Map(
      names.map((name): [string, StandingTarget] => {
        const row = bySubject.get(targetDeclarationSubject(name));
        if (row === undefined) return [name, { version: 0 }];
        const { version, spec, revision, owner, heartbeat } = row;
        if (spec === null || revision === null) return [name, { version }];
        const more = { ...(owner === null ? {} : { owner }), ...(heartbeat === null ? {} : { heartbeat }) };
        return [name, { version, declared: { spec, revision, ...more } }];
      }),
    );
  }

  /** Names of all that is an owner's, in order. */
  async ownedBy(owner: string): Promise<string[]> {
    return (await this.#database.query<{ name: string }>(OWNED, [owner])).map(({ name }) => name);
  }
}

function viewOf(row: ShownRow): TargetView {
  return {
    name: row.name,
    ...row.spec,
    state: row.state ?? 'pending',
    ...(row.since === null ? {} : { stateSince: row.since }),
    ...(row.episode === null ? {} : { episode: row.episode }),
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
