import { DURATION_SYNTAX, parseDuration } from '@tocsin/domain';
import { z } from 'zod';

/** Ids of declared things: DNS-label style with dots allowed between labels, so that host names can be used as they are. */
export const nameSchema = z
  .string()
  .regex(
    /^(?=.{1,128}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
    'must be lower-case letters, digits and "-" (dots between labels), start and end with a letter or digit, 1 to 128 characters',
  )
  .meta({ id: 'Name', description: 'Id of a declared thing', examples: ['edge-fra-17'] });

/** A duration within bounds; parsed form stays the string that was sent. */
export function durationSchema(bounds: { min: string; max: string }) {
  const minMs = parseDuration(bounds.min) ?? 0;
  const maxMs = parseDuration(bounds.max) ?? Number.MAX_SAFE_INTEGER;
  return z
    .string()
    .refine((text) => parseDuration(text) !== undefined, `must be ${DURATION_SYNTAX}`)
    .refine((text) => {
      const ms = parseDuration(text);
      return ms === undefined || (ms >= minMs && ms <= maxMs);
    }, `must be between ${bounds.min} and ${bounds.max}`)
    .meta({ description: `A duration between ${bounds.min} and ${bounds.max}, such as 500ms, 10s or 5m` });
}

/** Labels: what selectors and subscriptions match by equality. */
export const labelsSchema = z
  .record(
    z
      .string()
      .regex(
        /^[a-zA-Z0-9](?:[a-zA-Z0-9._/-]{0,61}[a-zA-Z0-9])?$/,
        'must be 1 to 63 letters, digits, ".", "_", "/" or "-"',
      ),
    z.string().max(255, 'must be at most 255 characters'),
  )
  .refine((labels) => Object.keys(labels).length <= 64, 'must be at most 64 labels')
  .meta({ id: 'Labels', description: 'Name → value', examples: [{ site: 'fra', role: 'edge' }] });

/** RFC 3339 time with a zone. */
export const timestampSchema = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 time with a zone, such as 2030-01-31T12:00:00Z' })
  .meta({ description: 'RFC 3339 time with a zone' });
