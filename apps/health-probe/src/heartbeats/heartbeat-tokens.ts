import type { WatchedTarget } from '@tocsin/contracts';
import { heartbeatTokenHash, type Clock } from '@tocsin/domain';

interface Holder {
  name: string;
  notAfter: number | undefined;
}

/** Whose heartbeat a token is, whoever watches the target. */
export class HeartbeatTokens {
  readonly #clock: Clock;
  readonly #holders = new Map<string, Holder>();
  readonly #hashes = new Map<string, readonly string[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  declare({ name, spec, heartbeat }: WatchedTarget): void {
    this.withdraw(name);
    if (spec.check.type !== 'heartbeat' || heartbeat === undefined) return;
    for (const { hash, notAfter } of heartbeat.tokens) this.#holders.set(hash, { name, notAfter });
    this.#hashes.set(
      name,
      heartbeat.tokens.map(({ hash }) => hash),
    );
  }

  withdraw(name: string): void {
    for (const hash of this.#hashes.get(name) ?? []) this.#holders.delete(hash);
    this.#hashes.delete(name);
  }

  /** The target of a token. Every token is hashed and looked up by its hash, so how long it takes says nothing of those there are. */
  find(token: string): string | undefined {
    const holder = this.#holders.get(heartbeatTokenHash(token));
    if (holder === undefined) return undefined;
    return holder.notAfter === undefined || holder.notAfter > this.#clock.now() ? holder.name : undefined;
  }
}
