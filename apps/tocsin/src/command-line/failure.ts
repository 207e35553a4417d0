import { type Fault, isTocsinError } from '@tocsin/domain';
import { UsageError } from './exit.js';

/** Faults that are named: more than fit on a screen help nobody. */
const MOST_FAULTS = 40;

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
    if (said) return lines;
    const more = error.faults.length - MOST_FAULTS;
    return [
      ...lines,
      ...error.faults.slice(0, MOST_FAULTS).map((fault) => `  ${faultLine(fault)}`),
      ...(more > 0 ? [`  … and ${more} more`] : []),
    ];
  }
  return [`${command}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
}

function faultLine(fault: Fault & { at?: string }): string {
  const where = [fault.at, fault.pointer].filter((part) => part !== undefined && part !== '').join(', ');
  return where === '' ? fault.detail : `${where}: ${fault.detail}`;
}
