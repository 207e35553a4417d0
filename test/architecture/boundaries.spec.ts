import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { look, ROOT, RULES, type Findings } from './cruise.js';

const PLANTED = join(import.meta.dirname, 'planted');

// TypeScript is under what dependency-cruiser reads: where it cannot read it, it sees no import and is content.
describe('the tree', () => {
  let tree: Findings;

  beforeAll(async () => {
    tree = await look(ROOT, ['apps', 'libs', 'test']);
  });

  it('breaks no rule', () => {
    expect(tree.violations).toEqual([]);
  });

  it.each(['apps', 'libs'].flatMap((kind) => readdirSync(join(ROOT, kind)).map((name) => `${kind}/${name}`)))(
    'has been looked at: %s',
    (folder) => {
      expect(tree.modules.filter((module) => module.startsWith(`${folder}/src/`))).not.toEqual([]);
    },
  );

  it('has been read import by import', () => {
    expect(tree.modules.length).toBeGreaterThan(100);
    expect(tree.imports.length).toBeGreaterThan(tree.modules.length);
  });
});

describe('the planted tree', () => {
  let planted: Findings;

  beforeAll(async () => {
    planted = await look(PLANTED, ['apps', 'libs', 'test'], join(PLANTED, 'tsconfig.json'));
  });

  // A file that breaks a rule is named for it: `<rule>.ts` or `<rule>.<variant>.ts`. Every other file is right.
  const ruleOf = (path: string) => RULES.find((rule) => basename(path).startsWith(`${rule}.`)) ?? 'none';
  const files = readdirSync(PLANTED, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));

  it.each(RULES)('holds a violation of %s', (rule) => {
    expect(files.map(ruleOf)).toContain(rule);
  });

  it.each(files)('is judged as its name says: %s', (path) => {
    expect(planted.modules).toContain(path);
    const broken = planted.violations.filter(({ from }) => from === path).map(({ rule }) => rule);
    expect([...new Set(broken)]).toEqual(ruleOf(path) === 'none' ? [] : [ruleOf(path)]);
  });
});
