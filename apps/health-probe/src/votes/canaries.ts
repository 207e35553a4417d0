import { PROBE_RPC, tcpCheckSchema, type Check } from '@tocsin/contracts';
import type { ProbeResult, VoidedProbe } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';
import { z } from 'zod';

/** Longer than any way on this planet, shorter than anybody's patience. */
const TIMEOUT_MS = 1_000;

export interface CanariesDeps {
  observer: string;
  broker: Pick<Broker, 'request' | 'serve'>;
  /** `host:port` of what must be reachable from here. */
  addresses: readonly string[];
  /** Other observers that are alive. */
  others: () => number;
  check: (check: Check) => Promise<ProbeResult | VoidedProbe>;
}

/**
 * What must answer wherever an observer is well: NATS, the other observers, configured addresses. The others are reached through
 * NATS, one way for all of them: they count once, and fail with it.
 */
export class Canaries {
  readonly #deps: CanariesDeps;
  readonly #checks: readonly Check[];
  #serving: Serving | undefined;

  constructor(deps: CanariesDeps) {
    this.#deps = deps;
    this.#checks = deps.addresses.map((address) => {
      const at = address.lastIndexOf(':');
      const host = address.slice(0, at).replace(/^\[|\]$/g, '');
      return tcpCheckSchema.parse({
        type: 'tcp',
        host,
        port: Number(address.slice(at + 1)),
        timeout: `${TIMEOUT_MS}ms`,
      });
    });
  }

  get #subject(): string {
    return `${PROBE_RPC.pingPrefix}.${this.#deps.observer}`;
  }

  start(): void {
    this.#serving = this.#deps.broker.serve(this.#subject, {
      schema: z.object({}),
      handle: () => Promise.resolve({ observer: this.#deps.observer }),
    });
  }

  async stop(): Promise<void> {
    await this.#serving?.close();
  }

  /** Outcome of each canary. Never rejects. */
  async look(): Promise<boolean[]> {
    const others = this.#deps.others();
    const [broker, ...addresses] = await Promise.all([
      this.#brokerAnswers(),
      ...this.#checks.map(async (check) => {
        const result = await this.#deps.check(check);
        // Void: this process was blocked, which is no sign of a cut.
        return result.kind === 'void' || result.outcome !== 'fail';
      }),
    ]);
    return [broker, ...(others > 0 ? [broker] : []), ...addresses];
  }

  async #brokerAnswers(): Promise<boolean> {
    try {
      await this.#deps.broker.request(this.#subject, {}, { timeoutMs: TIMEOUT_MS });
      return true;
    } catch {
      return false;
    }
  }
}
