import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './cruise.js';

// A page shows code that runs: the block after `<!-- file: … -->` is that file.
const DOCS = join(ROOT, 'docs');
const BLOCK = /<!-- file: (\S+) -->\n\n```\w+\n(.*?)```/gs;
const shown = readdirSync(DOCS)
  .filter((name) => name.endsWith('.md'))
  .flatMap((page) =>
    [...readFileSync(join(DOCS, page), 'utf8').matchAll(BLOCK)].map(([, file = '', code = '']) => ({
      page,
      file,
      code,
    })),
  );

describe('the documentation', () => {
  const examples = ['internal-teams', 'receiving'].flatMap((folder) =>
    readdirSync(join(DOCS, 'examples', folder)).map((name) => `examples/${folder}/${name}`),
  );
  it.each(examples)('shows %s', (file) => {
    expect(shown.map((one) => one.file)).toContain(file);
  });

  it.each(shown)('shows $file on $page as it is', ({ file, code }) => {
    expect(code).toBe(readFileSync(join(DOCS, file), 'utf8'));
  });
});
