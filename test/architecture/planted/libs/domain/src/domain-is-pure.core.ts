import { readFileSync } from 'node:fs';

export const found = readFileSync;
