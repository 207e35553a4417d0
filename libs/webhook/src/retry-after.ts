/**
 * Milliseconds a `Retry-After` header asks for (RFC 9110 § 10.2.3): a number of seconds, or a date in any of the three HTTP forms.
 * @param nowMs epoch milliseconds, to measure a date from; one in the past gives 0
 * @returns undefined if there is none or it is neither
 */
export function parseRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1_000;
  // Some servers send fractions, which the RFC does not know; rounding up obeys them.
  if (/^\d{1,10}\.\d{1,9}$/.test(text)) return Math.ceil(Number(text) * 1_000);
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(text)) return undefined;
  // The asctime form has no zone, and means GMT like the others.
  const atMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
