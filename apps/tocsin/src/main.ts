#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Half of what a short command takes is compiling what it loads. The user's own folder: what lies in a shared one could be anybody's.
const cache = process.env['XDG_CACHE_HOME'];
enableCompileCache(
  join(cache !== undefined && cache.startsWith('/') ? cache : join(homedir(), '.cache'), 'tocsin', 'compiled'),
);

const [{ run }, { whenReaderIsGone }, { VERSION }] = await Promise.all([
  import('./command-line/run.js'),
  import('./command-line/output.js'),
  import('./command-line/version.js'),
]);

const args = process.argv.slice(2);
// What serves goes on when nobody reads its output any more; what only answers has nothing left to do.
whenReaderIsGone(() => {
  if (args[0] !== 'up' && args[0] !== 'demo') process.exit(0);
});
const code = await run(args, VERSION);
if (code !== undefined) process.exitCode = code;
