import { createHash } from 'node:crypto';
import { uuidv7 } from '../ids.js';

/**
 * Id of the outage that began at `startedMs`: `ep_<uuidv7>`, its random part made of the subject, so that a replay of the
 * same inputs names the same episode.
 */
export function episodeId(subject: string, startedMs: number): string {
  const seed = createHash('sha256').update(`${subject} ${startedMs}`).digest();
  return `ep_${uuidv7(Math.floor(startedMs), seed.subarray(0, 10))}`;
}
