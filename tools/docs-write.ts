import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_DOCS_PATH, configDocs } from './config-docs.js';
import { ERROR_DOCS_PATH, errorDocs } from './error-docs.js';
import { SPAN_DOCS_PATH, spanDocs } from './span-docs.js';

const ROOT = join(import.meta.dirname, '..');

const PAGES: Record<string, { path: string; text: () => string }> = {
  config: { path: CONFIG_DOCS_PATH, text: configDocs },
  errors: { path: ERROR_DOCS_PATH, text: errorDocs },
  spans: { path: SPAN_DOCS_PATH, text: spanDocs },
};

const wanted = process.argv.slice(2);
for (const name of wanted.length === 0 ? Object.keys(PAGES) : wanted) {
  const page = PAGES[name];
  if (page === undefined) throw new Error(`no page ${name}; there are ${Object.keys(PAGES).join(', ')}`);
  writeFileSync(join(ROOT, page.path), page.text());
}
