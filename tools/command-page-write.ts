import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { COMMAND_PAGE_PATH, commandPage } from './command-page.js';

const path = join(import.meta.dirname, '..', COMMAND_PAGE_PATH);
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, commandPage());
