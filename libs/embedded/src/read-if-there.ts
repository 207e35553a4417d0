import { TocsinError } from '@tocsin/domain';
import { readFile } from 'node:fs/promises';
import { hasCode } from './errno.js';

/**
 * Text of a file; undefined where there is none.
 * @throws TocsinError TCN_DATA_DIR where there is one that cannot be read: it may be another user's, and must not be taken for nobody's
 */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw new TocsinError('TCN_DATA_DIR', `${path} cannot be read: ${why}`, { cause: error });
  }
}
