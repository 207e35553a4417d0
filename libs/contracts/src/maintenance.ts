import { parseDuration } from '@tocsin/domain';
// Node gives a CommonJS module as the default export.
// oxlint-disable-next-line import/default
import rruleModule from 'rrule';
import { z } from 'zod';
import { durationSchema, labelsSchema, nameSchema, timestampSchema } from './primitives.js';

const { RRule } = rruleModule;

/** KV bucket of maintenance windows: key = name, value = {@link WatchedMaintenance}. */
export const MAINTENANCE_BUCKET = 'tocsin_maintenance';

/** Types of the events that declare windows; subject `maintenance/<name>`. */
export const MAINTENANCE_EVENTS = {
  declared: 'io.tocsin.maintenance.declared',
  removed: 'io.tocsin.maintenance.removed',
} as const;

/** Parts of a rule (RFC 5545 § 3.3.10) that each frequency may have: with these no rule takes long to expand, however odd it is. */
const RULE_PARTS: Readonly<Record<string, ReadonlySet<string>>> = {
  DAILY: new Set(['BYDAY']),
  WEEKLY: new Set(['BYDAY', 'WKST']),
  MONTHLY: new Set(['BYDAY', 'BYMONTHDAY', 'BYSETPOS']),
  YEARLY: new Set(['BYDAY', 'BYMONTH', 'BYMONTHDAY', 'BYSETPOS']),
};
const COMMON_PARTS: ReadonlySet<string> = new Set(['FREQ', 'INTERVAL', 'COUNT', 'UNTIL']);

const targetsOfWindow = {
  selector: labelsSchema
    .default({})
    .meta({ description: 'Labels a target must have, all of them; none: every target' }),
  reason: z.string().max(1024).optional(),
};

const onceFields = { ...targetsOfWindow, start: timestampSchema, end: timestampSchema };

const repeatedFields = {
  ...targetsOfWindow,
  start: z.iso
    .datetime({ local: true, offset: false, error: 'must be a local time without a zone, such as 2030-01-31T02:00:00' })
    .refine((text) => !text.endsWith('Z'), 'must be a local time without a zone: the zone stands in timeZone')
    .meta({ description: 'First time the window begins, on the clocks of the time zone' }),
  rrule: z
    .string()
    .max(256)
    .superRefine((text, context) => {
      const fault = faultOfRule(text);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    })
    .meta({ description: 'RFC 5545 recurrence rule', examples: ['FREQ=WEEKLY;BYDAY=SU'] }),
  timeZone: z
    .string()
    .refine(isTimeZone, 'must be an IANA time zone, such as Europe/Berlin')
    .meta({ examples: ['Europe/Berlin'] }),
  duration: durationSchema({ min: '1m', max: '30d' }),
};

function endsAfterItBegins({ start, end }: { start: string; end: string }): boolean {
  return Date.parse(end) > Date.parse(start);
}
const END_FAULT = { path: ['end'], error: 'must be after the start' };

/** What a PUT on a maintenance window takes: one span of time, or one that comes again by a rule. */
export const maintenanceSpecSchema = z
  .union([z.strictObject(onceFields).refine(endsAfterItBegins, END_FAULT), z.strictObject(repeatedFields)])
  .meta({ id: 'MaintenanceSpec' });
export type MaintenanceSpec = z.infer<typeof maintenanceSpecSchema>;

/** A maintenance window with its name inside, as `tocsin.yaml` and `POST /v1/apply` write it. */
export const namedMaintenanceSchema = z
  .union([
    z.strictObject({ name: nameSchema, ...onceFields }).refine(endsAfterItBegins, END_FAULT),
    z.strictObject({ name: nameSchema, ...repeatedFields }),
  ])
  .meta({ id: 'NamedMaintenance' });
export type NamedMaintenance = z.infer<typeof namedMaintenanceSchema>;

/** A window as the API shows it. */
export const maintenanceViewSchema = z
  .object({
    name: nameSchema,
    spec: maintenanceSpecSchema,
    revision: z.int().meta({ description: 'Version of its subject; the ETag' }),
    active: z.boolean(),
    next: z
      .object({ start: timestampSchema, end: timestampSchema })
      .optional()
      .meta({ description: 'The span that lasts, or the next to come; absent where none is' }),
  })
  .meta({ id: 'Maintenance' });
export type MaintenanceView = z.infer<typeof maintenanceViewSchema>;

/** What the registry puts into the observers' bucket for a window. */
export const watchedMaintenanceSchema = z.object({
  name: nameSchema,
  revision: z.int(),
  spec: maintenanceSpecSchema,
});
export type WatchedMaintenance = z.infer<typeof watchedMaintenanceSchema>;

export const maintenanceDeclaredSchema = z.object({ name: nameSchema, actor: z.string(), spec: maintenanceSpecSchema });
export const maintenanceRemovedSchema = z.object({ name: nameSchema, actor: z.string() });

/** A stretch of time, epoch milliseconds; the end does not belong to it. */
export interface Span {
  startMs: number;
  endMs: number;
}

/** The spans of a window that overlap [fromMs, toMs), in order. */
export function maintenanceSpans(spec: MaintenanceSpec, fromMs: number, toMs: number): Span[] {
  const overlaps = ({ startMs, endMs }: Span) => startMs < toMs && endMs > fromMs;
  if ('end' in spec) return [{ startMs: Date.parse(spec.start), endMs: Date.parse(spec.end) }].filter(overlaps);
  const durationMs = parseDuration(spec.duration) ?? 0;
  // Rules count on the wall: every hour of the local clock is handed to the library as if it were UTC, a day's margin for the zone.
  const rule = new RRule({ ...RRule.parseString(spec.rrule), dtstart: new Date(`${spec.start}Z`) });
  const from = new Date(fromMs - durationMs - DAY_MS);
  return rule
    .between(from, new Date(toMs + DAY_MS), true)
    .map((wall) => {
      const startMs = instantOf(wall.getTime(), spec.timeZone);
      return { startMs, endMs: startMs + durationMs };
    })
    .filter(overlaps);
}

const DAY_MS = 86_400_000;

function faultOfRule(text: string): string | undefined {
  const parts = new Map(text.split(';').map((part): [string, string] => [part.split('=')[0] ?? '', part]));
  const frequency = parts.get('FREQ')?.slice('FREQ='.length) ?? '';
  const allowed = RULE_PARTS[frequency];
  if (allowed === undefined) return `must have FREQ, one of ${Object.keys(RULE_PARTS).join(', ')}`;
  const odd = [...parts.keys()].find((part) => !COMMON_PARTS.has(part) && !allowed.has(part));
  if (odd !== undefined) return `must not have ${odd} with FREQ=${frequency}`;
  try {
    return new RRule(RRule.parseString(text)).options.freq === undefined ? 'has no frequency' : undefined;
  } catch (error) {
    return `is no recurrence rule: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** The instant at which clocks of the zone show `wallMs` (their reading taken for UTC). In the hour that is left out in spring: an hour later. */
function instantOf(wallMs: number, timeZone: string): number {
  const guess = wallMs - offsetMs(wallMs, timeZone);
  return wallMs - offsetMs(guess, timeZone);
}

function offsetMs(instantMs: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(instantMs);
  const value = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value ?? 0);
  const shown = Date.UTC(
    value('year'),
    value('month') - 1,
    value('day'),
    value('hour'),
    value('minute'),
    value('second'),
  );
  return shown - Math.floor(instantMs / 1_000) * 1_000;
}
