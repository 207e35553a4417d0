import { FLUSH_PARTS, type FlushPart } from './flush-parts.js';
import type { LedgerBatch, LedgerContents } from './ledger-batch.js';

/** A batch that takes no more, and what it hangs on. */
export interface ClosedBatch {
  shard: number;
  epoch: number;
  /** Everything up to it is settled or has a row once the batch is written. */
  checkpoint: number;
  batch: LedgerBatch;
}

/**
 * The statement that writes the batches of several shards, with nothing in it for what did not happen: most are attempts alone. Its rows
 * are the shards whose epoch still held; of the others nothing was written.
 */
export function flushStatement(closed: readonly ClosedBatch[]): { sql: string; parameters: unknown[] } {
  const parameters: unknown[] = [];
  const clauses: string[] = [];
  const part = (name: FlushPart, ...values: unknown[]): void => {
    const clause: (...parameters: string[]) => string = FLUSH_PARTS[name];
    clauses.push(clause(...values.map((value) => `$${parameters.push(value)}`)));
  };
  const shards = closed.map(({ shard, batch }) => ({ shard, rows: batch.contents }));
  /** Rows to be there. */
  const puts = (name: FlushPart, of: (rows: LedgerContents) => Iterable<object | null>): void => {
    const list: object[] = [];
    for (const { shard, rows } of shards) for (const row of of(rows)) if (row !== null) list.push({ shard, ...row });
    if (list.length > 0) part(name, JSON.stringify(list));
  };
  /** Keys of rows to be gone, with their shards. */
  const keysOf = (of: (rows: LedgerContents) => Iterable<string>): { of: number[]; keys: string[] } => {
    const found = { of: [] as number[], keys: [] as string[] };
    for (const { shard, rows } of shards) {
      for (const key of of(rows)) {
        found.of.push(shard);
        found.keys.push(key);
      }
    }
    return found;
  };
  const drops = (name: FlushPart, of: (rows: LedgerContents) => Iterable<string>): void => {
    const gone = keysOf(of);
    if (gone.keys.length > 0) part(name, gone.of, gone.keys.map(subscriptionOf), gone.keys.map(positionOf));
  };
  const dropsByName = (name: FlushPart, of: (rows: LedgerContents) => Iterable<string>): void => {
    const gone = keysOf(of);
    if (gone.keys.length > 0) part(name, gone.of, gone.keys);
  };
  part(
    'fence',
    closed.map(({ shard }) => shard),
    closed.map(({ epoch }) => epoch),
    closed.map(({ checkpoint }) => checkpoint),
  );
  puts('attempts', (rows) => rows.attempts);
  puts('kept', (rows) => rows.pending.values());
  drops('gone', (rows) => removed(rows.pending));
  puts('died', (rows) => rows.dead.values());
  drops('revived', (rows) => rows.revived);
  puts('held', (rows) => rows.parked.values());
  dropsByName('released', (rows) => removed(rows.parked));
  puts('endpoints', (rows) => rows.endpoints.values());
  dropsByName('forgotten', (rows) => removed(rows.endpoints));
  puts('superseded', (rows) => rows.superseded.values());
  puts('announcements', (rows) => rows.announcements);
  dropsByName('announced', (rows) => rows.announced);
  puts('replays', (rows) => rows.replays.values());
  drops('replayed', (rows) => removed(rows.replays));
  return { sql: clauses.join(',\n') + FLUSH_PARTS.held_fence(), parameters };
}

function* removed(rows: ReadonlyMap<string, object | null>): Generator<string> {
  for (const [key, row] of rows) if (row === null) yield key;
}

function subscriptionOf(key: string): string {
  return key.slice(0, key.lastIndexOf('|'));
}

function positionOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('|') + 1));
}
