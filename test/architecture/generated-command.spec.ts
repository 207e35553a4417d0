import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMAND_PAGE_PATH, commandPage } from '../../tools/command-page.js';
import { TOCSIN_SCHEMA_PATH, tocsinSchemaText } from '../../tools/tocsin-schema.js';
import { ROOT } from './cruise.js';

const committed = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('what is written from the command', () => {
  it('is the JSON Schema of tocsin.yaml that `npm run codegen:tocsin-schema` writes', () => {
    expect(JSON.parse(committed(TOCSIN_SCHEMA_PATH))).toEqual(JSON.parse(tocsinSchemaText()));
  });

  it('is the page of commands that `npm run codegen:command-page` writes', () => {
    expect(committed(COMMAND_PAGE_PATH)).toBe(commandPage());
  });

  it('names no address of this machine and no version', () => {
    expect(committed(COMMAND_PAGE_PATH)).not.toMatch(/\/work\/|\/home\/|\/tmp\/|0\.0\.0/);
  });
});
