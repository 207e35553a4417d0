const BLOCK = 512;

/**
 * The content of one regular file in a tar archive (POSIX ustar, as far as names up to 100 bytes go); undefined if it is not in there.
 * @throws Error if the archive is cut off.
 */
export function fileInTar(archive: Buffer, name: string): Buffer | undefined {
  for (let at = 0; at + BLOCK <= archive.length;) {
    const header = archive.subarray(at, at + BLOCK);
    const entry = text(header, 0, 100);
    if (entry === '') return undefined;
    const size = Number.parseInt(text(header, 124, 12), 8) || 0;
    const from = at + BLOCK;
    if (entry === name) {
      if (from + size > archive.length) throw new Error('the archive is cut off');
      return archive.subarray(from, from + size);
    }
    at = from + Math.ceil(size / BLOCK) * BLOCK;
  }
  return undefined;
}

function text(header: Buffer, from: number, length: number): string {
  const field = header.subarray(from, from + length);
  const end = field.indexOf(0);
  return field
    .subarray(0, end === -1 ? length : end)
    .toString('utf8')
    .trim();
}
