import { isTocsinError } from '@tocsin/domain';
import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { EXIT, UsageError } from '../command-line/exit.js';
import { note, print, printJson } from '../command-line/output.js';
import { oneLine } from '../command-line/table.js';
import { paint } from '../command-line/paint.js';
import { examine } from './examination.js';
import type { Finding, Verdict } from './judge.js';

const MARKS: Record<Verdict, string> = {
  ok: paint.green('✔'),
  warn: paint.yellow('!'),
  fail: paint.red('✘'),
  skip: paint.dim('–'),
};
const NAME_WIDTH = 28;

/** `tocsin doctor`: is this a receiver events can be sent to? Exit code 1 if a check fails; warnings alone are no failure. */
export async function doctor(
  address: string,
  options: { secretFile?: string; secret?: string; ca?: string; timeout: number; json?: boolean },
): Promise<void> {
  const done = new AbortController();
  process.once('SIGINT', () => done.abort()).once('SIGTERM', () => done.abort());
  const findings: Finding[] = [];
  const secret = await secretOf(options);
  if (options.json !== true) note(`sending test requests to ${URL.parse(address)?.origin ?? address}, marked as such`);
  try {
    const ca = options.ca === undefined ? {} : { ca: [await fileText(options.ca)] };
    const url = new URL(address);
    const examination = {
      url,
      secret,
      deadlineMs: options.timeout * 1000,
      signal: done.signal,
      nowMs: Date.now,
      ...ca,
    };
    for await (const finding of examine(examination)) {
      findings.push(finding);
      if (options.json !== true)
        print(`${MARKS[finding.verdict]} ${finding.check.padEnd(NAME_WIDTH)}${oneLine(finding.detail)}`);
      if (done.signal.aborted) break;
    }
  } catch (error) {
    // The one thing in here that the caller can have got wrong.
    if (isTocsinError(error, 'TCN_INVALID')) throw new UsageError(error.message);
    throw error;
  }
  const counts = (verdict: Verdict) => findings.filter((finding) => finding.verdict === verdict).length;
  const [failed, warned] = [counts('fail'), counts('warn')];
  if (options.json === true) printJson({ url: address, ok: failed === 0, findings });
  else
    print(
      failed === 0
        ? `\nfit to be told${warned === 0 ? '' : `, with ${warned} to look at`}`
        : `\n${failed} failed, ${warned} to look at`,
    );
  if (failed > 0) process.exitCode = EXIT.failed;
}

async function secretOf(options: { secretFile?: string; secret?: string }): Promise<string | undefined> {
  if (options.secret !== undefined) return options.secret;
  if (options.secretFile !== undefined) {
    const text = options.secretFile === '-' ? await textOf(process.stdin) : await fileText(options.secretFile);
    return text.trim();
  }
  const fromEnv = process.env['TOCSIN_WEBHOOK_SECRET'];
  return fromEnv === '' ? undefined : fromEnv;
}

async function fileText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
