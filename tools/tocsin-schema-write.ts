import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TOCSIN_SCHEMA_PATH, tocsinSchemaText } from './tocsin-schema.js';

const path = join(import.meta.dirname, '..', TOCSIN_SCHEMA_PATH);
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, tocsinSchemaText());
