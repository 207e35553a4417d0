import type { RegistryLog } from '../log/registry-log.js';
import type { SealedStore } from './sealed-store.js';

/** An append is given up after 10 s; a seal without its event after an hour belongs to a process that ended between the two. */
const ORPHAN_AFTER_S = 3_600;
const EVERY_MS = 600_000;

/** Erases the seals that a crash left behind, now and then. */
export class SealSweeper {
  readonly #seals: SealedStore;
  readonly #log: Pick<RegistryLog, 'head'>;
  readonly #onError: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(seals: SealedStore, log: Pick<RegistryLog, 'head'>, onError: (error: unknown) => void) {
    this.#seals = seals;
    this.#log = log;
    this.#onError = onError;
  }

  /** Begins. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweeping = this.#sweep();
    }, EVERY_MS);
  }

  /** Ends; a sweep under way is finished. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    try {
      await this.#seals.sweep(ORPHAN_AFTER_S, await this.#log.head());
    } catch (error) {
      // The next round tries again; nothing depends on this one.
      this.#onError(error);
    }
  }
}
