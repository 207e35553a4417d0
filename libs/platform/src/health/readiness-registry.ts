import { isTocsinError } from '@tocsin/domain';
import { redactUrls } from '../logging/redact.js';

/** Longest a check may take, in ms; orchestrators give up after a second or a few. */
const CHECK_TIMEOUT_MS = 1_000;

/** Fine: returns nothing or true. Not ready: returns false, throws, or returns the reason. */
export type ReadinessCheck = () => boolean | string | void | Promise<boolean | string | void>;

/** What `/readyz` answers. */
export interface Readiness {
  status: 'ok' | 'not ready';
  /** `ok`, or why not. */
  checks: Record<string, string>;
}

/** What a process needs to do its work, by name. */
export class ReadinessRegistry {
  readonly #checks: { name: string; check: ReadinessCheck }[] = [];

  /**
   * @param name several modules in one process may use the same, such as `nats`: it is fine when all of them are
   * @param check must be cheap: it runs on every call of `/readyz`
   * @returns takes the check off again
   */
  register(name: string, check: ReadinessCheck): () => void {
    const entry = { name, check };
    this.#checks.push(entry);
    return () => {
      const index = this.#checks.indexOf(entry);
      if (index !== -1) this.#checks.splice(index, 1);
    };
  }

  /** Runs all checks at once. Never throws. */
  async check(): Promise<Readiness> {
    const outcomes = await Promise.all(
      this.#checks.map(async ({ name, check }) => ({ name, outcome: await outcomeOf(check) })),
    );
    const checks: Record<string, string> = {};
    for (const { name, outcome } of outcomes) {
      if ((checks[name] ?? 'ok') === 'ok') checks[name] = outcome;
    }
    const ready = outcomes.every(({ outcome }) => outcome === 'ok');
    return { status: ready ? 'ok' : 'not ready', checks };
  }
}

async function outcomeOf(check: ReadinessCheck): Promise<string> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(`no answer within ${CHECK_TIMEOUT_MS} ms`), CHECK_TIMEOUT_MS);
  try {
    const outcome = await Promise.race([late, (async () => check())()]);
    if (outcome === undefined || outcome === true) return 'ok';
    return outcome === false ? 'not ready' : outcome;
  } catch (error) {
    if (isTocsinError(error)) return redactUrls(`${error.code}: ${error.message}`);
    return redactUrls(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}
