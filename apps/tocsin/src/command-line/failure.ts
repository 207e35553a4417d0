import { type Fault, isTocsinError } from '@tocsin/domain';

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

/**
 * What a failed command says: one clear line with the code, and where somebody sent something with several faults, one more line for
 * each. The stack of a defect is shown, since nobody else could find it.
 * @param command as the user called it, e.g. `tocsin events tail`
 */
export function failureLines(command: string, error: unknown): string[] {
  if (error instanceof UsageError) return [`${command}: ${error.message}`];
  if (isTocsinError(error)) {
    const lines = [`${command}: ${error.code}: ${error.message}`];
    // One fault is in the line itself, where the message was made from it.
    const said = error.faults.length === 1 && error.message.includes(error.faults[0]?.detail ?? '');
    return said ? lines : [...lines, ...error.faults.map((fault) => `  ${faultLine(fault)}`)];
  }
  return [`${command}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
}

function faultLine(fault: Fault & { at?: string }): string {
  const where = [fault.at, fault.pointer].filter((part) => part !== undefined && part !== '').join(', ');
  return where === '' ? fault.detail : `${where}: ${fault.detail}`;
}
