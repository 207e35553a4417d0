import { setFlagsFromString } from 'node:v8';

/**
 * How much garbage may gather before it is collected, in percent of what lives. V8 lets a small heap grow fourfold, because it cannot know
 * that this one hardly changes: every check leaves garbage, and ten thousand targets would take 500 MB to save a hundredth of the CPU.
 */
const GARBAGE_PERCENT = 50;
const FLAG = '--heap-growing-percent';

/**
 * Keeps the heap of this process near what lives in it. V8 reads the figure at the end of each collection, so it may be set while the
 * process runs.
 * @param execArgv what Node was started with: whoever gives the figure himself knows better
 */
export function keepHeapSmall(execArgv: readonly string[], setFlag: (flag: string) => void = setFlagsFromString): void {
  if (execArgv.some((argument) => argument.replaceAll('_', '-').startsWith(FLAG))) return;
  setFlag(`${FLAG}=${GARBAGE_PERCENT}`);
}
