import { type KeyView, nameSchema, parseOrThrow } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Page, PageRequest } from '../request/page.js';
import type { KeyStore } from './key-store.js';

/** Shows API keys, never the keys themselves. */
export class ReadKeys {
  readonly #keys: KeyStore;

  constructor(keys: KeyStore) {
    this.#keys = keys;
  }

  /** @throws TocsinError `TCN_NOT_FOUND`, `TCN_INVALID` for a name that cannot be one */
  async one(name: string): Promise<KeyView> {
    const key = await this.#keys.find(parseOrThrow(nameSchema, name, 'name'));
    if (key === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no key "${name}"`);
    return key;
  }

  /** Keys in order of their names. */
  page(request: PageRequest): Promise<Page<KeyView>> {
    return this.#keys.page(request);
  }
}
