import { JETSTREAM } from '@tocsin/contracts';
import type { Broker, KeyValue } from '@tocsin/jetstream';
import type { Database } from '@tocsin/postgres';
import { eventually } from '@tocsin/testing';
import type { Installation } from '../registry.harness.js';

/** What observers see of the targets, beside what is declared. */
export class ObserversView {
  readonly #broker: Broker;
  readonly #database: Database;

  constructor(
    broker: Broker,
    database: Database,
    readonly bucket: KeyValue,
  ) {
    this.#broker = broker;
    this.#database = database;
  }

  /** Name → revision of what observers see. */
  async watched(): Promise<Record<string, number>> {
    const entries = await Promise.all((await this.bucket.keys()).map((key) => this.bucket.get(key)));
    return Object.fromEntries(
      entries.flatMap((entry) =>
        entry === undefined ? [] : [[entry.key, (entry.value as { revision: number }).revision]],
      ),
    );
  }

  async converged(): Promise<boolean> {
    const [watched, declared] = await Promise.all([this.watched(), this.#declared()]);
    return JSON.stringify(Object.entries(watched).toSorted()) === JSON.stringify(Object.entries(declared).toSorted());
  }

  /** Resolves when observers see what is declared. */
  async converge(): Promise<void> {
    await eventually(() => this.converged(), { what: 'observers see what is declared' });
  }

  /** Takes the bucket away, as a broker that lost its store. */
  async lose(): Promise<void> {
    const subject = `$JS.API.STREAM.DELETE.KV_${JETSTREAM.targetsBucket}`;
    // The answer is JetStream's own, not one of our envelopes.
    await this.#broker.request(subject, {}, { timeoutMs: 5_000 }).catch(() => undefined);
  }

  /** Name → revision of what is declared. */
  async #declared(): Promise<Record<string, number>> {
    const rows = await this.#database.query<{ name: string; revision: number }>(
      `SELECT name, revision FROM registry.target`,
    );
    return Object.fromEntries(rows.map(({ name, revision }) => [name, revision]));
  }
}

/** The tables and the observers' bucket as a registry leaves them that has run and ended, to look into. */
export async function observe(installation: Installation): Promise<{ database: Database; observers: ObserversView }> {
  await installation.boot();
  await installation.closeRegistries();
  const { broker } = installation;
  const database = await installation.database();
  const bucket = await broker.kv(JETSTREAM.targetsBucket);
  return { database, observers: new ObserversView(broker, database, bucket) };
}
