import { setFlagsFromString } from 'node:v8';

const FLAG = 'allocation-site-pretenuring';

/**
 * Makes V8 allocate every object among the young ones. By itself it puts those of a place in the code that seem to live long among the old
 * ones at once. A service under load seems so to it: what it holds while it waits for a commit is alive at every collection. From then on
 * every such object, dead or not, keeps all it refers to until the next full collection, and young collections copy what nobody needs: in
 * a recorder that was whole requests. Call it before there is work.
 * @param execArgv what Node was started with: whoever says something of this himself knows better
 */
export function withoutPretenuring(execArgv: readonly string[], setFlag = setFlagsFromString): void {
  if (!execArgv.some((argument) => nameOf(argument) === FLAG)) setFlag(`--no-${FLAG}`);
}

/** V8 takes `-` and `_` for the same, and `no` with and without one. */
function nameOf(argument: string): string {
  return argument.replaceAll('_', '-').replace(/^--(?:no-?)?/, '');
}
