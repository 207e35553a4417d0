import type { ApiClient } from '@tocsin/client';
import {
  type ApplyReply,
  type ApplyRequest,
  destinationSchema,
  splitDestination,
  subscriptionSpecSchema,
  targetSpecSchema,
} from '@tocsin/contracts';
import type { JsonObject, JsonValue } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { oneLine } from '../command-line/table.js';
import { print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';
import { countsText } from './apply-command.js';
import { type Change, changesBetween, changeText } from './diff.js';
import { readTocsinYaml } from './tocsin-yaml.js';

/** Things looked at in detail at a time. */
const AT_ONCE = 8;

/** What an apply would do. */
interface Plan extends Pick<ApplyReply, 'created' | 'unchanged'> {
  updated: { subject: string; changes: Change[] }[];
}

/** `tocsin plan`: what `apply` would do, by a dry run on the server and a look at what differs; changes nothing. */
export async function plan(
  options: ServerOptions & { file: string; json?: boolean; detailedExitcode?: boolean },
): Promise<void> {
  const declarations = await readTocsinYaml(options.file);
  const planned = await withClient(options, async (client) => {
    try {
      return await planOf(client, declarations.request);
    } catch (error) {
      throw declarations.inFile(error);
    }
  });
  if (options.json === true) printJson(planned);
  else for (const line of planLines(planned)) print(line);
  const changes = planned.created.length + planned.updated.length;
  if (options.detailedExitcode === true && changes > 0) process.exitCode = EXIT.changes;
}

async function planOf(client: ApiClient, request: ApplyRequest): Promise<Plan> {
  const { created, updated, unchanged } = await client.apply({ ...request, dryRun: true });
  const wanted = new Map<string, JsonObject>([
    ...request.targets.map(({ name, ...spec }) => [`target/${name}`, spec as unknown as JsonObject] as const),
    ...request.subscriptions.map(
      ({ name, ...spec }) => [`subscription/${name}`, spec as unknown as JsonObject] as const,
    ),
  ]);
  const detailed: Plan['updated'] = [];
  for (let from = 0; from < updated.length; from += AT_ONCE) {
    const some = updated.slice(from, from + AT_ONCE).map(async (subject) => {
      const [kind = '', name = ''] = subject.split(/\/(.*)/s);
      const standing = (await client.call('GET', `/v1/${kind}s/${encodeURIComponent(name)}`)) as JsonObject;
      return { subject, changes: specChanges(kind, standing, wanted.get(subject) ?? {}) };
    });
    detailed.push(...(await Promise.all(some)));
  }
  return { created, updated: detailed, unchanged };
}

/**
 * Fields in which a declaration differs from what stands. Secret parts are compared as they are shown, so a change of a secret alone
 * leaves no difference.
 * @param standing the thing as the API shows it
 * @param wanted the declaration with its defaults
 */
export function specChanges(kind: string, standing: JsonObject, wanted: JsonObject): Change[] {
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

function shown(destination: JsonValue): JsonValue {
  const parsed = destinationSchema.safeParse(destination);
  return parsed.success ? splitDestination(parsed.data).redacted : destination;
}

/** A plan for people. */
export function planLines(planned: Plan): string[] {
  const { created, updated, unchanged } = planned;
  if (created.length + updated.length === 0) return [`No changes: all ${unchanged.length} stand as declared.`];
  return [
    ...created.map((subject) => `${paint.green('+')} ${subject}`),
    ...updated.flatMap(({ subject, changes }) => [
      `${paint.yellow('~')} ${subject}`,
      ...(changes.length === 0
        ? ['    a part that is not shown: a secret, or the owner']
        : changes.map((change) => `    ${oneLine(changeText(change))}`)),
    ]),
    '',
    countsText({ created, updated: updated.map(({ subject }) => subject), unchanged }, true),
  ];
}
