/**
 * System errors that are the observer's own trouble: no descriptors, memory, ports or route of its own. `EHOSTUNREACH` is not
 * among them: it is what a dead host on the same network looks like.
 */
const LOCAL_FAULTS: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
  'EAFNOSUPPORT',
  'EACCES',
  'EPERM',
]);

/** Does this error code say something of the observer rather than of the target? */
export function isLocalFault(code: string): boolean {
  return LOCAL_FAULTS.has(code);
}

/** The `code` of a system error; `''` where there is none. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : '';
}
