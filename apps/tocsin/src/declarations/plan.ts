import type { ApiClient } from '@tocsin/client';
import {
  type ApplyReply,
  type ApplyRequest,
  destinationSchema,
  splitDestination,
  subscriptionSpecSchema,
  targetSpecSchema,
} from '@tocsin/contracts';
import { type JsonObject, type JsonValue, TocsinError } from '@tocsin/domain';
import { allItems } from '../server/query.js';
import { type Change, changesBetween } from './diff.js';

/** Things looked at in detail at a time. */
const AT_ONCE = 8;
/** More than these are read by pages. */
const MOST_SINGLE = 100;
/** Times it is planned anew where somebody changes things between the look at what would be done and at how they stand. */
const TRIES = 3;

/** What an apply would do. */
export interface Plan extends Pick<ApplyReply, 'created' | 'deleted' | 'unchanged' | 'revisions'> {
  updated: { subject: string; changes: Change[] }[];
}

/** A thing as the API gives it. */
type Standing = JsonObject & { name: string; revision: number };

/**
 * Works out what an apply would do: by a dry run on the server, and a look at what differs.
 * @throws TocsinError the server's; `TCN_CONFLICT` where things change faster than they can be looked at
 */
export async function planOf(client: ApiClient, request: ApplyRequest): Promise<Plan> {
  for (let left = TRIES; left > 0; left -= 1) {
    const dry = await client.apply({ ...request, dryRun: true });
    const standing = await standingOf(client, dry.updated);
    // Else somebody changed it in between, and the differences would not be those to what the revision says.
    if (dry.updated.some((subject) => standing.get(subject)?.revision !== dry.revisions[subject])) continue;
    const wanted = wantedSpecs(request);
    return {
      created: dry.created,
      updated: dry.updated.map((subject) => ({
        subject,
        changes: [
          ...ownerChange(dry.takenOver[subject], request.owner),
          ...specChanges(kindIn(subject), standing.get(subject) ?? {}, wanted.get(subject) ?? {}),
        ],
      })),
      deleted: dry.deleted,
      unchanged: dry.unchanged,
      revisions: dry.revisions,
    };
  }
  throw new TocsinError('TCN_CONFLICT', 'others are changing these things right now; plan again');
}

/** What each thing shall be, by `<kind>/<name>`. */
export function wantedSpecs(request: ApplyRequest): Map<string, JsonObject> {
  const specs = (kind: string, things: readonly { name: string }[]) =>
    things.map(({ name, ...spec }): [string, JsonObject] => [`${kind}/${name}`, spec as unknown as JsonObject]);
  return new Map([
    ...specs('target', request.targets),
    ...specs('subscription', request.subscriptions),
    ...specs('maintenance', request.maintenance),
  ]);
}

function ownerChange(before: string | null | undefined, after: string | undefined): Change[] {
  return before === undefined ? [] : [{ field: 'owner', before: before ?? undefined, after }];
}

/** How things stand: each by itself, or where they are many by reading the lists. */
async function standingOf(client: ApiClient, subjects: readonly string[]): Promise<Map<string, Standing>> {
  const standing = new Map<string, Standing>();
  const single: string[] = [];
  for (const [kind, plural] of [
    ['target', 'targets'],
    ['subscription', 'subscriptions'],
    // Read from the log by its name; the list may be a moment behind.
    ['maintenance', undefined],
  ] as const) {
    const some = subjects.filter((subject) => kindIn(subject) === kind);
    if (plural === undefined || some.length <= MOST_SINGLE) single.push(...some);
    else for (const one of await allItems<Standing>(client, `/v1/${plural}`)) standing.set(`${kind}/${one.name}`, one);
  }
  for (let from = 0; from < single.length; from += AT_ONCE) {
    await Promise.all(
      single.slice(from, from + AT_ONCE).map(async (subject) => {
        const path = kindIn(subject) === 'maintenance' ? 'maintenance' : `${kindIn(subject)}s`;
        const name = subject.slice(subject.indexOf('/') + 1);
        standing.set(subject, (await client.call('GET', `/v1/${path}/${encodeURIComponent(name)}`)) as Standing);
      }),
    );
  }
  return standing;
}

function kindIn(subject: string): string {
  return subject.slice(0, subject.indexOf('/'));
}

/**
 * Fields in which a declaration differs from what stands. Secret parts are compared as they are shown, so a change of a secret alone
 * leaves no difference.
 * @param standing the thing as the API shows it
 * @param wanted the declaration with its defaults
 */
export function specChanges(kind: string, standing: JsonObject, wanted: JsonObject): Change[] {
  if (kind === 'maintenance') return changesBetween(standing['spec'], wanted);
  const fields = Object.keys((kind === 'target' ? targetSpecSchema : subscriptionSpecSchema).shape);
  const specOf = (thing: JsonObject): JsonObject =>
    Object.fromEntries(
      fields.flatMap((field): [string, JsonValue][] => {
        const value = thing[field];
        return value === undefined ? [] : [[field, field === 'destination' ? shown(value) : value]];
      }),
    );
  return changesBetween(specOf(standing), specOf(wanted));
}

/** A destination without its secrets. */
export function shown(destination: JsonValue): JsonValue {
  const parsed = destinationSchema.safeParse(destination);
  return parsed.success ? splitDestination(parsed.data).redacted : destination;
}
