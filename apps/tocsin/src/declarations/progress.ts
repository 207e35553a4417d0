/** Where what is under way is told: standard error. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** How often a terminal is told, and something that is no terminal. */
const EVERY_MS = { terminal: 200, other: 5_000 };

/**
 * Tells what is under way while it takes long: on a terminal one line that changes and goes; elsewhere a line now and then, and nothing at
 * all about what is soon done.
 */
export class Progress {
  readonly #output: ProgressOutput;

  constructor(output: ProgressOutput) {
    this.#output = output;
  }

  /** Runs `work`, and tells that it is under way. */
  async during<T>(what: string, work: () => Promise<T>): Promise<T> {
    const terminal = this.#output.isTTY === true;
    const since = performance.now();
    let told = false;
    const timer = setInterval(
      () => {
        told = true;
        const seconds = Math.round((performance.now() - since) / 1_000);
        this.#output.write(terminal ? `\r\u001b[2K${what} … ${seconds} s` : `${what} … ${seconds} s\n`);
      },
      terminal ? EVERY_MS.terminal : EVERY_MS.other,
    );
    try {
      return await work();
    } finally {
      clearInterval(timer);
      if (terminal && told) this.#output.write('\r\u001b[2K');
    }
  }
}
