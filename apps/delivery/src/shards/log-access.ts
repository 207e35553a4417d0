import type { Clock } from '@tocsin/domain';
import { LEASE_MS } from './shard-leases.js';

/** Two leases long: by then replicas that lost NATS in the same moment know of each other that they do not count. */
const CUT_OFF_MS = 2 * LEASE_MS;

/**
 * Whether this replica can read the log, which it does over NATS. One that cannot, but reaches Postgres, would keep its shards and
 * tell nobody anything new while another could. So it does not count as a replica, and gives its shards to those that do. Where no
 * replica has NATS all keep what they have, and go on with what is waiting.
 */
export class LogAccess {
  #lostAtMs: number | undefined;

  /** @param connected is there a connection to NATS now? */
  constructor(
    private readonly connected: () => boolean,
    private readonly clock: Clock,
  ) {}

  /** Does this replica count? Asked once a round. */
  look(): boolean {
    const connected = this.connected();
    this.#lostAtMs = connected ? undefined : (this.#lostAtMs ?? this.clock.monotonicMs());
    return connected;
  }

  /** Has it been without the log for so long that others should have its shards, at the last look? */
  get cutOff(): boolean {
    return this.#lostAtMs !== undefined && this.clock.monotonicMs() - this.#lostAtMs >= CUT_OFF_MS;
  }
}
