import type { ApiClient } from '@tocsin/client';

/** A query parameter: a list becomes several of the same name. */
type QueryValue = string | number | boolean | readonly string[] | undefined;

/** A path with a query; what is undefined is left out. */
export function withQuery(path: string, query: Readonly<Record<string, QueryValue>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of typeof value === 'object' ? value : [value]) {
      if (one !== undefined) parameters.append(name, String(one));
    }
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Largest page the API gives. */
const PAGE = 1000;

/**
 * Everything in a list that is given in pages (`{items, next}`), up to `limit`.
 * @param limit of items; default all
 */
export async function allItems<T>(
  client: ApiClient,
  path: string,
  query: Readonly<Record<string, QueryValue>> = {},
  limit = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  while (items.length < limit) {
    const wanted = Math.min(PAGE, limit - items.length);
    const page = (await client.call('GET', withQuery(path, { ...query, limit: wanted, cursor }))) as {
      items: T[];
      next: string | null;
    };
    items.push(...page.items);
    if (page.next === null) break;
    cursor = page.next;
  }
  return items;
}
