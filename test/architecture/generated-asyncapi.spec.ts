import { Parser, type AsyncAPIDocumentInterface } from '@asyncapi/parser';
import { EVENT_CATALOGUE } from '@tocsin/contracts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ASYNCAPI_PATH, asyncApiDocument } from '../../tools/asyncapi.js';
import { ROOT } from './cruise.js';

// Hints (2 and 3) are a matter of taste.
const ERROR_OR_WARNING: readonly number[] = [0, 1];
const committed = readFileSync(join(ROOT, ASYNCAPI_PATH), 'utf8');

describe('the AsyncAPI document', () => {
  let document: AsyncAPIDocumentInterface | undefined;
  let errors: string[];

  beforeAll(async () => {
    const parsed = await new Parser().parse(committed);
    document = parsed.document;
    errors = parsed.diagnostics
      .filter(({ severity }) => ERROR_OR_WARNING.includes(severity))
      .map(({ message, path }) => `${path.join('/')}: ${message}`);
  });

  it('is what `npm run codegen:asyncapi` writes', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(JSON.parse(committed)).toEqual(asyncApiDocument(version));
  });

  it('is a valid AsyncAPI 3.1 document', () => {
    expect(errors).toEqual([]);
    expect(document?.version()).toBe('3.1.0');
  });

  it('has every type of the catalogue in exactly one channel', () => {
    const types = document
      ?.channels()
      .all()
      .flatMap((channel) =>
        channel
          .messages()
          .all()
          .flatMap((message) => {
            const payload = message.payload()?.json() as {
              allOf: [unknown, { properties: { type: { enum: string[] } } }];
            };
            return payload.allOf[1].properties.type.enum;
          }),
      );
    expect(types?.sort()).toEqual([...EVENT_CATALOGUE.keys()].sort());
  });
});
