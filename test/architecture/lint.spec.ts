import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './cruise.js';

// A linter that has lost its types, or a plugin, finds nothing and is content: each of these must be found.
const OFFENCES: Record<string, string> = {
  'typescript(no-floating-promises)': `export function send(work: () => Promise<void>): void {\n  work();\n}\n`,
  'typescript(no-misused-promises)': `export const all = (items: number[], work: (n: number) => Promise<void>) => items.forEach(work);\n`,
  'typescript(no-explicit-any)': `export const anything: any = 1;\n`,
  'typescript(no-unsafe-return)': `export const parsed = (text: string): string => JSON.parse(text);\n`,
  'typescript(no-non-null-assertion)': `export const first = (items: string[]) => items.at(0)!;\n`,
  'typescript(switch-exhaustiveness-check)': `export function ok(state: 'up' | 'down'): boolean {\n  switch (state) {\n    case 'up':\n      return true;\n  }\n  return false;\n}\n`,
  'typescript(only-throw-error)': `export const fail = () => {\n  throw 'text';\n};\n`,
  'import(no-default-export)': `export default 1;\n`,
  'eslint(no-restricted-imports)': `import { sign } from '@tocsin/webhook/src/sign.js';\n\nexport const found: unknown = sign;\n`,
  'eslint(no-console)': `console.log('debug');\nexport {};\n`,
  'eslint(no-warning-comments)': `// ${['TO', 'DO'].join('')} later\nexport {};\n`,
  'unicorn(prefer-node-protocol)': `import { readFileSync } from 'fs';\n\nexport const found = readFileSync;\n`,
  'unicorn(filename-case)': `export const here = 1;\n`,
};

const fileOf = (rule: string) =>
  rule === 'unicorn(filename-case)' ? 'CamelCase.ts' : `${rule.replaceAll(/\W+/g, '-')}file.ts`;

describe('the linter', () => {
  let folder: string;
  let found: { code: string; filename: string }[];

  /** What the linter says of a folder, with the project's own settings. */
  const lint = () =>
    new Promise<typeof found>((resolve, reject) => {
      const args = [
        join(ROOT, 'node_modules/oxlint/bin/oxlint'),
        '--type-aware',
        '-f',
        'json',
        '-c',
        join(ROOT, '.oxlintrc.json'),
        '.',
      ];
      execFile(process.execPath, args, { cwd: folder }, (_error, stdout, stderr) => {
        try {
          resolve((JSON.parse(stdout) as { diagnostics: typeof found }).diagnostics);
        } catch (cause) {
          reject(new Error(`${stdout}\n${stderr}`, { cause }));
        }
      });
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tocsin-lint-'));
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { strict: true, module: 'nodenext', noEmit: true }, include: ['*.ts'] }),
    );
    for (const [rule, text] of Object.entries(OFFENCES)) writeFileSync(join(folder, fileOf(rule)), text);
    writeFileSync(join(folder, 'right.ts'), `export const right = (n: number) => n + 1;\n`);
    found = await lint();
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const codesIn = (file: string) => found.filter(({ filename }) => basename(filename) === file).map(({ code }) => code);

  it.each(Object.keys(OFFENCES))('finds %s', (rule) => {
    expect(codesIn(fileOf(rule))).toContain(rule);
  });

  it('finds nothing in what is right', () => {
    expect(codesIn('right.ts')).toEqual([]);
  });
});
