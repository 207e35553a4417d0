import type { ApplyRequest } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { note, print, printJson } from '../command-line/output.js';
import { currentConnection, withClient } from '../server/connection.js';
import { planOf } from './plan.js';
import { writePlanFile } from './plan-file.js';
import { isEmpty, planLines } from './plan-text.js';
import { Progress } from './progress.js';
import { type Declarations, readTocsinYaml } from './tocsin-yaml.js';

/** As long as an apply of the largest file may take, also on a machine that is busy. */
export const APPLY_TIMEOUT_MS = 600_000;

/** What `plan` and `apply` share. */
export interface DeclareOptions extends ServerOptions {
  file: string;
  prune?: boolean;
  takeOver?: boolean;
  json?: boolean;
}

/**
 * What is asked of the server.
 * @throws TocsinError `TCN_CONFIG` for what needs an owner in a file without one
 */
export function requestOf(
  { request, file }: Declarations,
  { prune = false, takeOver = false }: Pick<DeclareOptions, 'prune' | 'takeOver'>,
): ApplyRequest {
  if ((prune || takeOver) && request.owner === undefined) {
    const option = prune ? '--prune' : '--take-over';
    throw new TocsinError('TCN_CONFIG', `${file}: ${option} needs an "owner" at the top of the file`);
  }
  return { ...request, prune, takeOver };
}

/** `tocsin plan`: what `apply` would do; changes nothing. With `--out` it is kept for `apply --plan`. */
export async function plan(options: DeclareOptions & { out?: string; detailedExitcode?: boolean }): Promise<void> {
  const declarations = await readTocsinYaml(options.file);
  const request = requestOf(declarations, options);
  const planned = await withClient(
    options,
    async (client) => {
      try {
        return await new Progress(process.stderr).during(`planning ${options.file}`, () => planOf(client, request));
      } catch (error) {
        throw declarations.inFile(error);
      }
    },
    { timeoutMs: APPLY_TIMEOUT_MS },
  );
  if (options.json === true) printJson(planned);
  else for (const line of planLines(planned, request)) print(line);
  if (options.out !== undefined) {
    const { url } = await currentConnection(options);
    const { prune, takeOver } = request;
    await writePlanFile(
      options.out,
      {
        ...{ server: url, plannedAt: new Date().toISOString(), prune, takeOver },
        ...{ file: options.file, text: declarations.text, expect: planned.revisions },
      },
      request,
    );
    note(`kept in ${options.out}; \`tocsin apply --plan ${options.out}\` does this and nothing else`);
  }
  if (options.detailedExitcode === true && !isEmpty(planned)) process.exitCode = EXIT.changes;
}
