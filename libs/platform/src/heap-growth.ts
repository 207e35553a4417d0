import { setFlagsFromString } from 'node:v8';

const FLAG = '--heap-growing-percent';

/**
 * How much garbage may gather among the old objects before all of them are looked through. By itself V8 makes it the less the slower they
 * become more. It reads the figure anew at each collection, so it may be set while the process runs.
 * @param percent of what lives
 * @param execArgv what Node was started with: whoever says something of this himself knows better
 */
export function letHeapGrow(percent: number, execArgv: readonly string[], setFlag = setFlagsFromString): void {
  if (!execArgv.some((argument) => argument.replaceAll('_', '-').startsWith(FLAG))) setFlag(`${FLAG}=${percent}`);
}
