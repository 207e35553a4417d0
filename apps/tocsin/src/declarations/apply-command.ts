import type { ApiClient } from '@tocsin/client';
import type { ApplyReply, ApplyRequest } from '@tocsin/contracts';
import { EXIT, UsageError } from '../command-line/exit.js';
import { note, print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { currentConnection, withClient } from '../server/connection.js';
import { agrees } from './agreement.js';
import { type Plan, planOf } from './plan.js';
import { APPLY_TIMEOUT_MS, type DeclareOptions, requestOf } from './plan-command.js';
import { type PlanFile, readPlanFile, requireSameRequest } from './plan-file.js';
import { countsText, isEmpty, planLines } from './plan-text.js';
import { Progress } from './progress.js';
import { parseTocsinYaml, readTocsinYaml, sourcesOf } from './tocsin-yaml.js';

/** What `apply` takes. */
export interface ApplyOptions extends DeclareOptions {
  plan?: string;
  yes?: boolean;
  dryRun?: boolean;
}

/**
 * `tocsin apply`: plans, asks where somebody sits at a terminal, and applies that plan and nothing else: all of it or nothing. With `--plan`
 * it applies a plan that was kept.
 */
export async function apply(options: ApplyOptions): Promise<void> {
  const kept = options.plan === undefined ? undefined : await readPlanFile(options.plan);
  if (kept !== undefined) await requireSameServer(kept, options);
  const declarations =
    kept === undefined
      ? await readTocsinYaml(options.file)
      : await parseTocsinYaml(kept.text, kept.file, sourcesOf(kept.file));
  const request = requestOf(declarations, kept ?? options);
  if (kept !== undefined) await requireSameRequest(kept, request);
  const progress = new Progress(process.stderr);
  const done = await withClient(
    options,
    async (client) => {
      try {
        if (options.dryRun === true) return await client.apply({ ...request, dryRun: true });
        const planned = kept === undefined ? await agreedOn(client, request, options, progress) : undefined;
        const expect = kept?.expect ?? planned?.revisions;
        if (expect === undefined) return undefined;
        if (planned !== undefined && isEmpty(planned)) return nothingToDo(planned);
        const what = `applying ${kept?.file ?? options.file}: ${Object.keys(expect).length} changes`;
        return await progress.during(what, () => client.apply({ ...request, expect }));
      } catch (error) {
        throw declarations.inFile(error);
      }
    },
    { timeoutMs: APPLY_TIMEOUT_MS },
  );
  if (done === undefined) {
    note('nothing was applied');
    process.exitCode = EXIT.failed;
    return;
  }
  if (options.json === true) printJson(done);
  else for (const line of doneLines(done, options.dryRun === true)) print(line);
}

/** The plan, if it is agreed on: nobody is asked where nobody could answer, or where there is nothing to do. */
async function agreedOn(
  client: ApiClient,
  request: ApplyRequest,
  options: ApplyOptions,
  progress: Progress,
): Promise<Plan | undefined> {
  const planned = await progress.during(`planning ${options.file}`, () => planOf(client, request));
  const asks = process.stdin.isTTY && process.stderr.isTTY && options.yes !== true;
  if (!asks || isEmpty(planned)) return planned;
  for (const line of planLines(planned, request)) note(line);
  const terminal = { input: process.stdin, output: process.stderr };
  return (await agrees('\nApply this? Only "yes" does: ', terminal)) ? planned : undefined;
}

/** What an apply answers that has nothing to do. */
function nothingToDo({ unchanged }: Plan): ApplyReply {
  const none = { created: [], updated: [], deleted: [] };
  return { ...none, unchanged, takenOver: {}, revisions: {}, secrets: {}, tokens: {} };
}

async function requireSameServer(kept: PlanFile, options: ApplyOptions): Promise<void> {
  const { url, urlFrom } = await currentConnection(options);
  if (URL.parse(kept.server)?.href === URL.parse(url)?.href) return;
  throw new UsageError(`${options.plan} was planned against ${kept.server}, and ${urlFrom} says ${url}`);
}

/** What was done, for people. */
export function doneLines(done: ApplyReply, dryRun: boolean): string[] {
  if (isEmpty(done)) return [`No changes: all ${done.unchanged.length} stand as declared.`];
  return [
    ...done.created.map((subject) => `${paint.green('+')} ${subject}`),
    ...done.updated.map((subject) => `${paint.yellow('~')} ${subject}`),
    ...done.deleted.map((subject) => `${paint.red('-')} ${subject}`),
    ...secretLines(done).map((line) => `  ${line}`),
    countsText(done, dryRun),
  ];
}

/** The signing secrets of new subscriptions, and the tokens of new heartbeats. */
export function secretLines({ secrets, tokens }: Pick<ApplyReply, 'secrets' | 'tokens'>): string[] {
  const lines = (what: string, shown: Record<string, string>) =>
    Object.entries(shown).map(([name, value]) => `${what} of ${name}: ${value}   (shown this once)`);
  return [...lines('secret', secrets), ...lines('token', tokens)];
}
