import { isTocsinError } from '@tocsin/domain';
import type { Declaration, RegistryLog } from '../log/registry-log.js';
import type { NewSeal, SealedStore } from './sealed-store.js';

/**
 * Stores `seals`, then appends what refers to them. A refused append takes its seals with it; after an unknown outcome they stay,
 * for the event may have been recorded, and the sweep erases them if it was not.
 */
export async function appendSealed(
  log: RegistryLog,
  seals: SealedStore,
  declarations: readonly Declaration[],
  newSeals: readonly NewSeal[],
): Promise<void> {
  await seals.put(newSeals);
  try {
    await log.append(declarations);
  } catch (error) {
    if (isTocsinError(error, 'TCN_VERSION_CONFLICT')) await seals.discard(newSeals.map(({ ref }) => ref));
    throw error;
  }
}
