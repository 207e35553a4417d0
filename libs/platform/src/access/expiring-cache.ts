import type { Clock } from '@tocsin/domain';
import { createHmac, randomBytes } from 'node:crypto';

/**
 * What is known of a secret for a short time. The secret itself is not kept: entries stand under a digest with a key that only this process
 * has and that ends with it, so a dump of its memory gives no secret away.
 */
export class ExpiringCache<V> {
  readonly #entries = new Map<string, { readonly group: string; readonly value: V; readonly until: number }>();
  readonly #digestKey = randomBytes(32);
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #most: number;

  /** @param options.most entries; beyond it the oldest go */
  constructor(options: { clock: Clock; ttlMs: number; most: number }) {
    this.#clock = options.clock;
    this.#ttlMs = options.ttlMs;
    this.#most = options.most;
  }

  /** What was put under `secret`, unless it is too old; wrapped, since nothing may be known of it as well. */
  get(secret: string): { value: V } | undefined {
    const at = this.#digest(secret);
    const entry = this.#entries.get(at);
    if (entry === undefined) return undefined;
    if (entry.until > this.#clock.monotonicMs()) return { value: entry.value };
    this.#entries.delete(at);
    return undefined;
  }

  /** @param group by which {@link forget} finds it */
  put(secret: string, group: string, value: V): void {
    const at = this.#digest(secret);
    this.#entries.delete(at);
    this.#entries.set(at, { group, value, until: this.#clock.monotonicMs() + this.#ttlMs });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#most) break;
      this.#entries.delete(oldest);
    }
  }

  /** Forgets everything of a group. */
  forget(group: string): void {
    for (const [at, entry] of this.#entries) if (entry.group === group) this.#entries.delete(at);
  }

  #digest(secret: string): string {
    return createHmac('sha256', this.#digestKey).update(secret).digest('base64');
  }
}
