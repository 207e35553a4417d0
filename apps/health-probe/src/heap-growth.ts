import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * How much garbage may gather before it is collected, in percent of what lives. V8 lets a small heap grow fourfold, because it cannot know
 * that this one hardly changes: every check leaves garbage, and ten thousand targets would take far more memory to save little CPU.
 */
const GARBAGE_PERCENT = 50;
/** Room for new objects, both halves of it. What a start with many targets would make of it, four times as much, is never given back. */
const YOUNG_BYTES = 24 * 1024 * 1024;
/** How often its size is looked at: while it may grow, and after that, when V8 has taken it back in a quiet time. */
const LOOK_MS = { growing: 250, grown: 10_000 };

const HEAP = '--heap-growing-percent';
const YOUNG = '--semi-space-growth-factor';

/** What is known of V8 here, and told to it. */
export interface HeapControls {
  /** Bytes held for new objects. */
  youngBytes: () => number;
  setFlag: (flag: string) => void;
}

const V8: HeapControls = {
  youngBytes: () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0,
  setFlag: setFlagsFromString,
};

/**
 * Keeps the heap of this process near what lives in it. V8 reads both figures anew at each collection, so they may be set while the
 * process runs, where its limits may be set at the start of a process only. Keeps no process alive.
 * @param execArgv what Node was started with: whoever says something of this himself knows better
 */
export function keepHeapSmall(execArgv: readonly string[], v8: HeapControls = V8): void {
  const given = (...flags: string[]) =>
    execArgv.some((argument) => flags.some((flag) => argument.replaceAll('_', '-').startsWith(flag)));
  if (!given(HEAP)) v8.setFlag(`${HEAP}=${GARBAGE_PERCENT}`);
  if (!given(YOUNG, '--max-semi-space-size', '--min-semi-space-size')) keepYoungSmall(v8);
}

function keepYoungSmall(v8: HeapControls): void {
  let grown: boolean | undefined;
  const look = () => {
    const before = grown;
    grown = v8.youngBytes() >= YOUNG_BYTES;
    if (grown !== before) v8.setFlag(`${YOUNG}=${grown ? 1 : 2}`);
    setTimeout(look, grown ? LOOK_MS.grown : LOOK_MS.growing).unref();
  };
  look();
}
