#!/usr/bin/env node
// Stands here, and not in dist, because npm links a package's command when it installs, before anything is built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error('tocsin: not built yet; run "npm run build" first');
  process.exitCode = 1;
}
