import { nameSchema, parseOrThrow, type TargetView } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { inScope } from '../access/scope.js';
import type { ReadRequest } from '../request/call.js';
import type { Page, PageRequest } from '../request/page.js';
import type { TargetStore } from './target-store.js';

/** Shows targets with their state. */
export class ReadTargets {
  readonly #targets: TargetStore;

  constructor(targets: TargetStore) {
    this.#targets = targets;
  }

  /** @throws TocsinError `TCN_NOT_FOUND`, `TCN_INVALID` for a name that cannot be one */
  async one({ name, scope }: ReadRequest): Promise<TargetView> {
    const target = await this.#targets.find(parseOrThrow(nameSchema, name, 'name'));
    if (target === undefined || !inScope(target.labels, scope))
      throw new TocsinError('TCN_NOT_FOUND', `there is no target "${name}"`);
    return target;
  }

  /** Targets in order of their names. */
  page(request: PageRequest): Promise<Page<TargetView>> {
    return this.#targets.page(request);
  }
}
