import { labelsSchema, nameSchema, parseOrThrow } from '@tocsin/contracts';
import { z } from 'zod';
import type { Scope } from '@tocsin/platform';
import { faultAt } from './fault.js';

/** Large enough for a screen, small enough to answer in milliseconds. */
const USUAL_LIMIT = 100;
const HIGHEST_LIMIT = 1_000;

/** Which part of a list is wanted. */
export interface PageRequest {
  /** Only names after this one; `''` = from the start. */
  readonly after: string;
  readonly limit: number;
  /** Only things that carry all of these labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** And all of these, because the caller may see no others. */
  readonly scope?: Scope;
}

/** A part of a list. */
export interface Page<T> {
  readonly items: T[];
  /** Cursor of the next part; null at the end. */
  readonly next: string | null;
}

/** Query parameters of a list whose items have no labels. */
export const pageQuerySchema = z.strictObject({
  limit: z.coerce
    .number({ error: `must be a number from 1 to ${HIGHEST_LIMIT}` })
    .int()
    .min(1)
    .max(HIGHEST_LIMIT)
    .default(USUAL_LIMIT)
    .meta({ description: 'Items at most' }),
  cursor: z.string().max(512).optional().meta({ description: '`next` of the part before' }),
});

/** Query parameters of a list. */
export const listQuerySchema = pageQuerySchema.extend({
  labels: z
    .string()
    .max(8192)
    .optional()
    .meta({ description: 'Labels an item must carry, all of them', examples: ['site=fra,role=edge'] }),
});

/**
 * Reads the query of a list.
 * @throws TocsinError `TCN_INVALID` with a pointer to the parameter
 */
export function parseListQuery(query: unknown): PageRequest {
  const { limit, cursor, labels } = parseOrThrow(listQuerySchema, query, 'query');
  return {
    after: cursor === undefined ? '' : nameOf(cursor),
    limit,
    labels: labels === undefined ? {} : parseSelector(labels),
  };
}

/**
 * Reads the query of a list whose items have no labels.
 * @throws TocsinError `TCN_INVALID` with a pointer to the parameter
 */
export function parsePageQuery(query: unknown): PageRequest {
  const { limit, cursor } = parseOrThrow(pageQuerySchema, query, 'query');
  return { after: cursor === undefined ? '' : nameOf(cursor), limit, labels: {} };
}

/** A list as gRPC asks for it: what is empty was left out. */
const pageMessageSchema = z.object({
  limit: z
    .int()
    .min(0)
    .max(HIGHEST_LIMIT)
    .transform((limit) => (limit === 0 ? USUAL_LIMIT : limit)),
  cursor: z.string().max(512),
  labels: labelsSchema.default({}),
});

/**
 * Reads the message that asks for a list.
 * @throws TocsinError `TCN_INVALID` with a pointer to the field
 */
export function pageOfMessage(message: unknown): PageRequest {
  const { limit, cursor, labels } = parseOrThrow(pageMessageSchema, message, 'request');
  return { after: cursor === '' ? '' : nameOf(cursor), limit, labels };
}

/**
 * Reads a page of a table of the registry, and one row more. Walks the primary key; with labels, the index of labels where that is the
 * shorter way. Labels stand in it only where some are asked for: as long as a table has no statistics, just after thousands were declared,
 * a condition that every row meets is taken for one that hardly any does, and all of them would be sorted for each page.
 */
export function pageStatement(
  table: 'target' | 'subscription',
  { after, limit, labels, scope = {} }: PageRequest,
): { sql: string; params: unknown[] } {
  const wanted = [labels, scope].filter((some) => Object.keys(some).length > 0);
  const conditions = wanted.map((_some, index) => ` AND labels @> $${index + 3}::jsonb`).join('');
  return {
    sql: `SELECT * FROM registry.${table} WHERE name > $1${conditions} ORDER BY name LIMIT $2`,
    params: [after, limit + 1, ...wanted.map((some) => JSON.stringify(some))],
  };
}

/** Cuts `rows`, read with one row more than `limit`, to a page. */
export function pageOf<T extends { name: string }>(rows: readonly T[], limit: number): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, next: more ? Buffer.from(last.name).toString('base64url') : null };
}

function nameOf(cursor: string): string {
  const name = nameSchema.safeParse(Buffer.from(cursor, 'base64url').toString());
  if (!name.success)
    throw faultAt('TCN_INVALID', 'query', '/cursor', 'must be `next` as an earlier part of the list gave it');
  return name.data;
}

function parseSelector(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair): [string, string] => {
    const equals = pair.indexOf('=');
    if (equals <= 0)
      throw faultAt('TCN_INVALID', 'query', '/labels', `"${pair}" must be name=value; several are separated by commas`);
    return [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
  });
  const labels = labelsSchema.safeParse(Object.fromEntries(pairs));
  if (!labels.success)
    throw faultAt('TCN_INVALID', 'query', '/labels', labels.error.issues[0]?.message ?? 'must be labels');
  return labels.data;
}
