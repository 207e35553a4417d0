/** How a command ends. */
export const EXIT = {
  ok: 0,
  /** What was asked for did not come about, or what was checked does not hold. */
  failed: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** With `--detailed-exitcode`: it went well, and there is something to change. */
  changes: 2,
} as const;

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
