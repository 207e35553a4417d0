import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ASYNCAPI_PATH, asyncApiDocument } from './asyncapi.js';

const ROOT = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const path = join(ROOT, ASYNCAPI_PATH);

mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, `${JSON.stringify(asyncApiDocument(version), undefined, 2)}\n`);
