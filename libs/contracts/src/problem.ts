import { type Fault, TocsinError } from '@tocsin/domain';
import { z } from 'zod';

/** RFC 9457 problem document with a stable `code`. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    instance: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;

/** RFC 6901 JSON pointer of a path of keys. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Said of a field that is not known there. */
export const UNKNOWN_FIELD = 'unknown field';

/** What zod found, as faults with JSON pointers; one per unknown key, the nearest branch of a union. */
export function faultsOf(error: Pick<z.ZodError, 'issues'>): Fault[] {
  return error.issues.flatMap((issue): Fault[] => {
    if (issue.code === 'invalid_union') {
      // What comes nearest is what was meant; none of them where it is a value of quite another type, or has an unknown discriminator.
      const [nearest] = issue.errors.toSorted((one, other) => one.length - other.length);
      if (nearest === undefined || nearest.some(({ code, path }) => code === 'invalid_type' && path.length === 0)) {
        return [{ pointer: jsonPointer(issue.path), detail: issue.message }];
      }
      return faultsOf({ issues: nearest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })) });
    }
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ pointer: jsonPointer([...issue.path, key]), detail: UNKNOWN_FIELD }));
    }
    if (issue.code === 'invalid_key') {
      return [{ pointer: jsonPointer(issue.path), detail: `name ${issue.issues[0]?.message ?? 'is not valid'}` }];
    }
    return [{ pointer: jsonPointer(issue.path), detail: issue.message }];
  });
}

/**
 * Parses what somebody sent.
 * @throws TocsinError `TCN_INVALID` with a fault per finding
 */
export function parseOrThrow<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = faultsOf(result.error);
  const first = faults[0];
  const where = first === undefined || first.pointer === '' ? '' : `${first.pointer}: `;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  throw new TocsinError('TCN_INVALID', `${what}: ${where}${first?.detail ?? 'not valid'}${more}`, { faults });
}
