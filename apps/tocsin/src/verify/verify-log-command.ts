import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { note, print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';
import { findingText, type LogFinding, logText, proveLog } from './log-proof.js';
import { showProgress } from './progress.js';

/** `tocsin verify log`: every event hashed again, every position accounted for. Exit code 1 if something does not hold. */
export async function verifyLog(options: ServerOptions & { json?: boolean }): Promise<void> {
  const findings: LogFinding[] = [];
  const progress = showProgress(options.json !== true);
  const verdict = await withClient(options, (client) =>
    proveLog(client, ({ position, head, findings: found }) => {
      findings.push(...found);
      if (options.json !== true) for (const finding of found) print(paint.red(`✘ ${findingText(finding)}`));
      progress.at(position, head);
    }),
  );
  progress.end();
  if (options.json === true) printJson({ ...verdict, findings });
  else print(`${verdict.ok ? paint.green('✔') : paint.red('✘')} log: ${logText(verdict)}`);
  if (verdict.ok) return;
  process.exitCode = EXIT.failed;
  if (options.json !== true) note('the log does not verify');
}
