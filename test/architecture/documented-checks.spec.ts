import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { checkSchema } from '@tocsin/contracts';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const page = await readFile(resolve(import.meta.dirname, '../../docs/checks.md'), 'utf8');
const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
const documented = [...page.matchAll(/^\| `(?!type)([a-z]+)` \|.*\| (.*) \|$/gm)].map(
  ([, type = '', fields = '']): [string, string[]] => [
    type,
    [...fields.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  ],
);
const COMMON = ['type', 'interval', 'timeout', 'fastInterval', 'failures', 'successes'];

describe('docs/checks.md', () => {
  it('has examples, at least five', () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
  });

  it.each(examples)('has an example that can be declared:\n%s', (text) => {
    expect(checkSchema.safeParse(parse(text)).error?.issues).toBeUndefined();
  });

  it('names every type and every field there is', () => {
    const schemas = checkSchema.options.map((schema): [string, string[]] => [
      schema.shape.type.value,
      Object.keys(schema.shape).filter((field) => !COMMON.includes(field)),
    ]);
    expect(documented).toEqual(schemas);
  });
});
