import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpanKind } from '@opentelemetry/api';
import { ERROR_CATALOGUE } from '@tocsin/domain';
import { SPANS } from '@tocsin/tracing';
import { describe, expect, it } from 'vitest';
import { CONFIG_DOCS_PATH, configDocs } from '../../tools/config-docs.js';
import { ERROR_DOCS_PATH, errorDocs } from '../../tools/error-docs.js';
import { SPAN_DOCS_PATH, spanDocs } from '../../tools/span-docs.js';
import { ROOT } from './cruise.js';

const committed = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('reference pages', () => {
  it.each([
    ['config', CONFIG_DOCS_PATH, configDocs],
    ['errors', ERROR_DOCS_PATH, errorDocs],
    ['spans', SPAN_DOCS_PATH, spanDocs],
  ])('are what `npm run codegen:%s` writes: %s', (_script, path, write) => {
    expect(committed(path)).toBe(write());
  });

  it('say the same on every machine', () => {
    expect(committed(CONFIG_DOCS_PATH)).toContain('| `TOCSIN_OBSERVER_ID` | the name of the machine |');
  });

  it('have every error code, and every one that they have is one', () => {
    const codes = [...committed(ERROR_DOCS_PATH).matchAll(/^\| `(TCN_\w+)`/gm)].map(([, code]) => code);
    expect(codes).toEqual(Object.keys(ERROR_CATALOGUE));
  });
});

describe('the set of spans', () => {
  it('has each name once, with a kind that the reference can name', () => {
    const specs = Object.values(SPANS);
    expect(new Set(specs.map(({ name }) => name)).size).toBe(specs.length);
    for (const { kind } of specs) expect(SpanKind[kind]).toMatch(/^[A-Z]+$/);
  });
});
