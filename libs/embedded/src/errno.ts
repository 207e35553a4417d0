/** Is this an error of the operating system with that code (`ENOENT` …)? */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
