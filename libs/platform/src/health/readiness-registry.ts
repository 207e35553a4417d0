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
  readonly #checks = new Map<string, ReadinessCheck>();

  /**
   * @param check must be cheap: it runs on every call of `/readyz`
   * @returns takes the check off again
   */
  register(name: string, check: ReadinessCheck): () => void {
    this.#checks.set(name, check);
    return () => {
      if (this.#checks.get(name) === check) this.#checks.delete(name);
    };
  }

  /** Runs all checks at once. Never throws. */
  async check(): Promise<Readiness> {
    const entries = await Promise.all(
      [...this.#checks].map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    const ready = entries.every(([, outcome]) => outcome === 'ok');
    return { status: ready ? 'ok' : 'not ready', checks: Object.fromEntries(entries) };
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
