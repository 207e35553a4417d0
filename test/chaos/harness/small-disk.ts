import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SkippedScenario } from './scenario.js';

const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;

/** A disk of its own for one folder, that can be filled to the last byte. */
export class SmallDisk {
  private constructor(private readonly folder: string) {}

  /**
   * Mounts a disk of this size at the folder, which is made.
   * @throws SkippedScenario where this user may not mount
   */
  static async mount(folder: string, mebibytes: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0711`, 'tocsin-chaos', folder]);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new SkippedScenario(`a small disk cannot be mounted here, which takes root: ${reason.split('\n')[0]}`);
    }
    return new SmallDisk(folder);
  }

  /** Fills it until not one byte more can be written. */
  async fill(): Promise<void> {
    const file = await open(this.#ballast, 'a');
    try {
      for (let piece = Buffer.alloc(MEBIBYTE); piece.length > 0;) {
        try {
          const { bytesWritten } = await file.write(piece);
          if (bytesWritten === 0) return;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          piece = piece.subarray(0, Math.floor(piece.length / 2));
        }
      }
    } finally {
      await file.close();
    }
  }

  /** Gives the room back. */
  async release(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }

  /** Takes the disk away, with all on it. */
  async unmount(): Promise<void> {
    await run('umount', ['--lazy', this.folder]);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }
}
