import { faultAt } from './fault.js';

/**
 * A body without the name it may repeat; what is no object is left for the schema to refuse.
 * @throws TocsinError `TCN_INVALID` if it names something else than the path does
 */
export function splitName(name: string, body: unknown): unknown {
  if (body === null || typeof body !== 'object' || !('name' in body)) return body;
  const { name: repeated, ...rest } = body;
  if (repeated !== name) {
    throw faultAt('TCN_INVALID', 'body', '/name', `must be "${name}", as in the path, or left out`);
  }
  return rest;
}
