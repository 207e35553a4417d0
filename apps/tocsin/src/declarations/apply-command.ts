import { ApiClient } from '@tocsin/client';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import { readFile } from 'node:fs/promises';
import { readTocsinYaml } from './tocsin-yaml.js';

/** `tocsin apply`: sends a file of declarations. Exit code 1 and one line where it cannot be applied. */
export async function apply(options: { file: string; url: string; dryRun?: boolean; json?: boolean }): Promise<void> {
  try {
    const declarations = await readTocsinYaml(options.file);
    const client = new ApiClient({ url: options.url, apiKey: await apiKey() });
    const done = await client.apply({ ...declarations, dryRun: options.dryRun === true });
    if (options.json === true) {
      console.log(JSON.stringify(done, null, 2));
      return;
    }
    for (const name of done.created) console.log(`+ ${name}`);
    for (const name of done.updated) console.log(`~ ${name}`);
    for (const [name, secret] of Object.entries(done.secrets))
      console.log(`  secret of ${name}: ${secret}   (shown this once)`);
    const tense = options.dryRun === true ? 'would be ' : '';
    const counts = `${done.created.length} ${tense}created, ${done.updated.length} ${tense}changed, ${done.unchanged.length} as before`;
    console.log(counts);
  } catch (error) {
    console.error(`tocsin apply: ${failure(error, options.file)}`);
    process.exitCode = 1;
  }
}

function failure(error: unknown, file: string): string {
  if (isTocsinError(error)) return `${error.code}: ${error.message}`;
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return `${file}: there is no such file`;
  return error instanceof Error ? error.message : String(error);
}

async function apiKey(): Promise<string> {
  const given = process.env['TOCSIN_API_KEY'];
  if (given !== undefined && given !== '') return given;
  try {
    return (await readFile('.tocsin/api-key', 'utf8')).trim();
  } catch (error) {
    throw new TocsinError('TCN_CONFIG', 'TOCSIN_API_KEY is not set, and there is no .tocsin/api-key here', {
      cause: error,
    });
  }
}
