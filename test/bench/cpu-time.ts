import { readFile } from 'node:fs/promises';

/** Linux on every architecture Node runs on. */
const CLOCK_TICKS_PER_SECOND = 100;

/** CPU milliseconds a process has used so far (proc(5), fields 14 and 15 of stat). */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / CLOCK_TICKS_PER_SECOND;
}
