/**
 * Where a receiver remembers what it has handled: its own database, so that remembering and handling are one transaction. A crash
 * between the two then repeats nothing and loses nothing.
 */
export interface Inbox<Transaction> {
  /** Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>;
  /**
   * Remembers an event by its key. Must wait for another transaction that is remembering the same one (a unique index does).
   * @returns false if it was remembered before
   */
  remember(transaction: Transaction, webhookId: string): Promise<boolean>;
  /**
   * Moves what is known of a subject forward. Asked for where only the newest counts.
   * @returns false if that sequence, or a later one, was there before
   */
  advance(transaction: Transaction, subject: string, sequence: number): Promise<boolean>;
}

/** An inbox in memory, for trying out and for tests: it forgets everything when the process ends. */
export class MemoryInbox implements Inbox<undefined> {
  readonly #known = new Set<string>();
  readonly #sequences = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();
  /** What the transaction under way would have to take back. */
  #undo: (() => void)[] = [];

  /** @param limit events and subjects remembered at most; the oldest are forgotten first */
  constructor(private readonly limit = 100_000) {}

  async transaction<Result>(work: (transaction: undefined) => Promise<Result>): Promise<Result> {
    // One after the other, so that one which fails can be taken back.
    const turn = this.#last.then(() => this.#run(work));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async remember(_transaction: undefined, webhookId: string): Promise<boolean> {
    if (this.#known.has(webhookId)) return false;
    this.#undo.push(() => this.#known.delete(webhookId));
    this.#known.add(webhookId);
    forgetOldest(this.#known, this.limit);
    return true;
  }

  async advance(_transaction: undefined, subject: string, sequence: number): Promise<boolean> {
    const before = this.#sequences.get(subject);
    if (before !== undefined && before >= sequence) return false;
    this.#undo.push(() =>
      before === undefined ? this.#sequences.delete(subject) : this.#sequences.set(subject, before),
    );
    this.#sequences.delete(subject);
    this.#sequences.set(subject, sequence);
    forgetOldest(this.#sequences, this.limit);
    return true;
  }

  async #run<Result>(work: (transaction: undefined) => Promise<Result>): Promise<Result> {
    this.#undo = [];
    try {
      return await work(undefined);
    } catch (error) {
      for (const undo of this.#undo.reverse()) undo();
      throw error;
    }
  }
}

function forgetOldest(known: Set<string> | Map<string, unknown>, limit: number): void {
  const oldest = known.size > limit ? known.keys().next().value : undefined;
  if (oldest !== undefined) known.delete(oldest);
}
