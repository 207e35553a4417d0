/** How much longer than on a quiet machine everything may take; `TOCSIN_CHAOS_PATIENCE`, 1 where unset. Counts are strict whatever it is. */
const FACTOR = Math.max(1, Number(process.env['TOCSIN_CHAOS_PATIENCE'] ?? 1) || 1);

/** A limit of time, milliseconds, as the machine deserves it. */
export function patienceMs(ms: number): number {
  return ms * FACTOR;
}
