import type { PromiseVerdict } from '@tocsin/delivery';
import { cell } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { findingText, type LogFinding, logText, type LogVerdict } from './log-proof.js';

/** What Tocsin promises, by number. */
export const PROMISES: Readonly<Record<PromiseVerdict['promise'], string>> = {
  1: 'nothing recorded is lost',
  2: 'every DOWN that was told is followed by its UP',
  3: 'a bad receiver harms nobody else',
  4: 'a sick observer makes no outage',
  5: 'every answer can be explained',
};

/** Findings of the log shown, at most; `verify log` shows all. */
const MOST_SHOWN = 20;

/** How all promises stand. */
export interface Verification {
  ok: boolean;
  installation: 'running' | 'stopped';
  /** Deliveries were looked at up to this event; those of later ones were under way. */
  upTo: number;
  promises: (PromiseVerdict & { title: string })[];
  /** What could not be looked at. */
  notChecked: string[];
}

/** Puts the proof of the log and that of the promises together: the first promise rests on both. */
export function verification(
  installation: Verification['installation'],
  log: { verdict: Omit<LogVerdict, 'done'>; findings: readonly LogFinding[] },
  proof: { upTo: number; promises: readonly PromiseVerdict[] },
): Verification {
  const promises = proof.promises.map((one) => {
    const title = PROMISES[one.promise];
    if (one.promise !== 1) return { ...one, title };
    return {
      ...one,
      title,
      ok: one.ok && log.verdict.ok,
      checked: `${logText(log.verdict)}; ${one.checked}`,
      findings: [...log.findings.slice(0, MOST_SHOWN).map(findingText), ...one.findings],
      findingCount: one.findingCount + log.verdict.findings,
    };
  });
  const { stream } = log.verdict;
  const notChecked =
    stream !== undefined && 'skipped' in stream ? [`the broker's copy of the log: ${stream.skipped}`] : [];
  const { head } = log.verdict;
  if (proof.upTo < head) notChecked.push(`deliveries of events ${proof.upTo + 1} to ${head}: they were under way`);
  const ok = promises.every((one) => one.ok);
  return { ok, installation, upTo: proof.upTo, promises, notChecked };
}

/** One line a promise, its findings below it. */
export function verificationLines({ promises, notChecked }: Verification): string[] {
  const width = Math.max(...promises.map(({ title }) => title.length));
  return [
    ...promises.flatMap(({ promise, title, ok, checked, findings, findingCount }) => [
      `${ok ? paint.green('✔') : paint.red('✘')} ${promise} ${paint.bold(title.padEnd(width))}  ${ok ? 'ok' : paint.red('FAILED')}  ${paint.dim(cell(checked))}`,
      ...findings.map((finding) => `      ${cell(finding)}`),
      ...(findingCount > findings.length ? [`      and ${findingCount - findings.length} more`] : []),
    ]),
    ...notChecked.map((what) => paint.yellow(`- not checked: ${cell(what)}`)),
  ];
}
