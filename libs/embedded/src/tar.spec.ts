import { describe, expect, it } from 'vitest';
import { fileInTar } from './tar.js';

/** One entry of a ustar archive; `size` may lie. */
function entry(name: string, content: string, size = content.length): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  body.write(content);
  return Buffer.concat([header, body]);
}

const end = Buffer.alloc(1024);

describe('fileInTar', () => {
  it('finds a file behind others of any size', () => {
    const archive = Buffer.concat([
      entry('a', ''),
      entry('b', 'x'.repeat(512)),
      entry('c', 'y'.repeat(513)),
      entry('d', 'found'),
      end,
    ]);
    expect(fileInTar(archive, 'd')?.toString()).toBe('found');
  });

  it('gives undefined where the file is not in the archive', () => {
    expect(fileInTar(Buffer.concat([entry('a', 'x'), end]), 'b')).toBeUndefined();
  });

  it('refuses an archive that is cut off', () => {
    expect(() => fileInTar(entry('a', 'x', 2000), 'a')).toThrow('cut off');
  });
});
