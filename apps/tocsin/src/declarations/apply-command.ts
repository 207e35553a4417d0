import type { ApplyReply } from '@tocsin/contracts';
import type { ServerOptions } from '../command-line/arguments.js';
import { print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';
import { readTocsinYaml } from './tocsin-yaml.js';

/** `tocsin apply`: sends a file of declarations. All of it is applied, or nothing. */
export async function apply(
  options: ServerOptions & { file: string; dryRun?: boolean; json?: boolean },
): Promise<void> {
  const declarations = await readTocsinYaml(options.file);
  const dryRun = options.dryRun === true;
  const done = await withClient(options, async (client) => {
    try {
      return await client.apply({ ...declarations.request, dryRun });
    } catch (error) {
      throw declarations.inFile(error);
    }
  });
  if (options.json === true) {
    printJson(done);
    return;
  }
  for (const subject of done.created) print(`${paint.green('+')} ${subject}`);
  for (const subject of done.updated) print(`${paint.yellow('~')} ${subject}`);
  for (const line of secretLines(done)) print(`  ${line}`);
  print(countsText(done, dryRun));
}

/** What was done, in one line. */
export function countsText(done: Pick<ApplyReply, 'created' | 'updated' | 'unchanged'>, dryRun = false): string {
  const tense = dryRun ? 'would be ' : '';
  return `${done.created.length} ${tense}created, ${done.updated.length} ${tense}changed, ${done.unchanged.length} as before`;
}

/** The signing secrets of new subscriptions. */
export function secretLines({ secrets }: Pick<ApplyReply, 'secrets'>): string[] {
  return Object.entries(secrets).map(([name, secret]) => `secret of ${name}: ${secret}   (shown this once)`);
}
