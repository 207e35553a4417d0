import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { parseOrThrow } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { z } from 'zod';

/**
 * Global pipe: validates what a parameter names a schema for, as in `@Body({ schema })`, `@Query({ schema })`,
 * `@Param('name', { schema })`. Fails with `TCN_INVALID` and a fault per finding.
 */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const { schema } = metadata;
    if (schema === undefined) return value;
    if (!(schema instanceof z.ZodType)) throw new TocsinError('TCN_INTERNAL', 'only zod schemas are validated');
    const what = metadata.data ?? metadata.type;
    return parseOrThrow(schema, metadata.type === 'query' ? plain(value) : value, what);
  }
}

/** Express hands over query parameters in an object without a prototype, which is not what a schema calls an object. */
function plain(value: unknown): unknown {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? { ...value } : value;
}
