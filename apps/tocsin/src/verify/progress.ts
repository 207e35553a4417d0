/** How far something has come, on a line of its own that the answer takes the place of; nothing where nobody looks. */
export function showProgress(wanted: boolean): { at(position: number, end: number): void; end(): void } {
  const shown = wanted && process.stderr.isTTY;
  return {
    at: (position, end) => {
      if (shown) process.stderr.write(`\r${position} of ${end}\u001b[K`);
    },
    end: () => {
      if (shown) process.stderr.write('\r\u001b[K');
    },
  };
}
