import type { PipeTransform } from '@nestjs/common';
import { parseOrThrow } from '@tocsin/contracts';
import type { z } from 'zod';

/** Pipe for `@Body(zodBody(schema)) body: Schema`. Fails with `TCN_INVALID` and a fault per finding. */
export function zodBody<S extends z.ZodType>(schema: S, what = 'body'): PipeTransform<unknown, z.output<S>> {
  return { transform: (value) => parseOrThrow(schema, value, what) };
}

/** Pipe for `@Query(zodQuery(schema)) query: Schema`. Values are texts: let the schema coerce them. */
export function zodQuery<S extends z.ZodType>(schema: S): PipeTransform<unknown, z.output<S>> {
  return { transform: (value) => parseOrThrow(schema, { ...(value as Record<string, unknown>) }, 'query') };
}

/** Pipe for `@Param('name', zodParam(schema, 'name')) name: string`. */
export function zodParam<S extends z.ZodType>(schema: S, what: string): PipeTransform<unknown, z.output<S>> {
  return { transform: (value) => parseOrThrow(schema, value, what) };
}
