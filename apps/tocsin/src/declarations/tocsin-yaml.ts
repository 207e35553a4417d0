import {
  applyRequestSchema,
  type ApplyRequest,
  faultsOf,
  jsonPointer,
  nameSchema,
  UNKNOWN_FIELD,
} from '@tocsin/contracts';
import { isTocsinError, type JsonObject, type JsonValue, TocsinError } from '@tocsin/domain';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { MOST_ITEMS } from './limits.js';
import { type Path, ReferenceResolver, type ReferenceSources } from './references.js';
import { fieldMeant } from './suggestion.js';
import { locatedError, type LocatedFault, parseYaml, placeText, type YamlSource } from './yaml-source.js';

/** The frame of `tocsin.yaml`; what stands in the lists is checked once templates and references are resolved. */
const frameSchema = z.strictObject({
  version: z.literal(1, { error: 'must be 1' }),
  owner: nameSchema.optional(),
  // A list whose entries are all commented out is null in YAML.
  targets: z.array(z.looseObject({}, { error: 'must be a target: an object with name, kind, check …' })).nullish(),
  subscriptions: z
    .array(z.looseObject({}, { error: 'must be a subscription: an object with name, types, destination …' }))
    .nullish(),
  maintenance: z
    .array(z.looseObject({}, { error: 'must be a maintenance window: an object with name, start, end …' }))
    .nullish(),
});

const eachSchema = z
  .array(z.union([z.string(), z.number()], 'must be a text or a number').transform(String), 'must be a list of items')
  .min(1, 'must name at least one item')
  .max(MOST_ITEMS, `must be at most ${MOST_ITEMS} items`);

const ITEM = '${item}';
const LISTS = ['targets', 'subscriptions', 'maintenance'] as const;
type List = (typeof LISTS)[number];

/** Errors of the server whose faults point into what was sent. */
const ABOUT_THE_FILE = ['TCN_INVALID', 'TCN_EGRESS_BLOCKED', 'TCN_FORBIDDEN', 'TCN_CONFLICT'] as const;

/** A file of declarations, laid out and checked. */
export interface Declarations {
  /** What it is called in messages. */
  file: string;
  /** The file as it was read. */
  text: string;
  request: ApplyRequest;
  /** An error of the server about the request as one about the file: its faults say line and column. */
  inFile(error: unknown): unknown;
}

/**
 * Reads `tocsin.yaml`: templates (`each` with `${item}`) are laid out, `${env:NAME}` and `${file:PATH}` replaced, everything is
 * checked against the same schemas as the API's bodies. Nothing is applied here.
 * @throws TocsinError `TCN_CONFIG` (the file cannot be read), `TCN_MALFORMED` (not YAML), `TCN_INVALID` (each fault with line and column)
 */
export async function readTocsinYaml(file: string, env: ReferenceSources['env'] = process.env): Promise<Declarations> {
  return parseTocsinYaml(await textOf(file), file, sourcesOf(file, env));
}

/** What references in a file stand for: paths are meant from where the file is. */
export function sourcesOf(file: string, env: ReferenceSources['env'] = process.env): ReferenceSources {
  const folder = dirname(resolve(file));
  return {
    env,
    readText: async (path) => (await readFile(resolve(folder, path), 'utf8')).replace(/\r?\n$/, ''),
  };
}

/** {@link readTocsinYaml} of a text that is already here. */
export async function parseTocsinYaml(text: string, file: string, sources: ReferenceSources): Promise<Declarations> {
  const yaml = parseYaml(text, file);
  const frame = frameSchema.safeParse(yaml.value ?? {});
  if (!frame.success)
    throw locatedError(
      file,
      located(yaml, frame.error, (path) => path),
    );

  const faults: LocatedFault[] = [];
  const entries = {
    targets: layOut((frame.data.targets ?? []) as JsonObject[], 'targets', yaml, faults),
    subscriptions: layOut((frame.data.subscriptions ?? []) as JsonObject[], 'subscriptions', yaml, faults),
    maintenance: layOut((frame.data.maintenance ?? []) as JsonObject[], 'maintenance', yaml, faults),
  };
  const resolver = new ReferenceResolver(sources, yaml, faults);
  const resolved = (list: List) => Promise.all(entries[list].map((one) => resolver.resolve(one.value, one.path)));
  const request = {
    ...(frame.data.owner === undefined ? {} : { owner: frame.data.owner }),
    targets: await resolved('targets'),
    subscriptions: await resolved('subscriptions'),
    maintenance: await resolved('maintenance'),
  };
  for (const list of LISTS) faults.push(...duplicates(request[list], entries[list], yaml));
  if (faults.length > 0) throw locatedError(file, withoutRepeats(faults));

  // Back from the laid-out lists to where the entry stands in the file.
  const inFile = (path: Path): Path => {
    const [list, index, ...rest] = path;
    const known = LISTS.find((one) => one === list);
    const entry = known === undefined ? undefined : entries[known][Number(index)];
    return entry === undefined ? path : [...entry.path, ...rest];
  };
  const checked = applyRequestSchema.safeParse(request);
  // Where the thing is declared that the server calls `<kind>/<name>`; undefined for what is not in the file.
  const placeOf = (subject: string): string | undefined => {
    const [kind, name] = subject.split(/\/(.*)/s);
    const list = LISTS.find((one) => one === kind || one === `${kind}s`);
    const index = list === undefined ? -1 : (checked.data?.[list].findIndex((one) => one.name === name) ?? -1);
    return list === undefined || index < 0 ? undefined : placeText(yaml.locate(inFile([list, index])));
  };
  if (!checked.success) throw locatedError(file, withoutRepeats(located(yaml, checked.error, inFile)));
  return {
    file,
    text,
    request: checked.data,
    inFile(error) {
      if (isTocsinError(error, 'TCN_PRECONDITION_FAILED')) return changedSincePlanned(error, placeOf);
      if (!isTocsinError(error, ...ABOUT_THE_FILE) || error.faults.length === 0) return error;
      const found = error.faults.map(({ pointer, detail }) => faultAt(yaml, inFile(pathOf(pointer)), detail));
      const code = ABOUT_THE_FILE.find((one) => one === error.code) ?? 'TCN_INVALID';
      const hint = code === 'TCN_CONFLICT' ? '; --take-over takes it over' : '';
      return locatedError(file, withoutRepeats(found.map((one) => ({ ...one, detail: `${one.detail}${hint}` }))), code);
    },
  };
}

/** What has changed, each with the place where it is declared. */
function changedSincePlanned(error: TocsinError, placeOf: (subject: string) => string | undefined): TocsinError {
  const faults = error.faults.map(({ pointer, detail }) => {
    const at = placeOf(pathOf(pointer)[1] ?? '');
    return { pointer: '', detail, ...(at === undefined ? {} : { at }) };
  });
  return new TocsinError(error.code, error.message, { faults, cause: error });
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const reason = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
    throw new TocsinError('TCN_CONFIG', `${file}: ${reason}`, { cause: error });
  }
}

function located(yaml: YamlSource, error: z.ZodError, inFile: (path: Path) => Path): LocatedFault[] {
  return faultsOf(error).map((fault) => {
    const path = inFile(pathOf(fault.pointer));
    const meant = fault.detail === UNKNOWN_FIELD ? fieldMeant(path) : undefined;
    return faultAt(yaml, path, meant === undefined ? fault.detail : `${fault.detail}; is "${meant}" meant?`);
  });
}

function faultAt(yaml: YamlSource, path: Path, detail: string): LocatedFault {
  return { pointer: jsonPointer(path), detail, place: yaml.locate(path) };
}

/** The parts of an RFC 6901 pointer. */
function pathOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A template has one fault once, not once an item. */
function withoutRepeats(faults: readonly LocatedFault[]): LocatedFault[] {
  return [...new Map(faults.map((fault) => [`${fault.pointer} ${fault.detail}`, fault])).values()];
}

interface Entry {
  value: JsonObject;
  path: Path;
}

/** Lays out `each`: one entry an item, `${item}` replaced in every text. Entries without it stay as they are. */
function layOut(entries: JsonObject[], list: List, yaml: YamlSource, faults: LocatedFault[]): Entry[] {
  return entries.flatMap((entry, index): Entry[] => {
    const path = [list, index];
    const { each, ...template } = entry;
    if (each === undefined) {
      faults.push(
        ...strayItems(entry, path).map((at) => faultAt(yaml, at, `${ITEM} stands for nothing without "each"`)),
      );
      return [{ value: entry, path }];
    }
    const items = eachSchema.safeParse(each);
    if (!items.success) {
      faults.push(...located(yaml, items.error, (inner) => [...path, 'each', ...inner]));
      return [];
    }
    return items.data.map((item) => ({
      value: mapTexts(template, (text) => text.replaceAll(ITEM, () => item)) as JsonObject,
      path,
    }));
  });
}

function mapTexts(value: JsonValue, change: (text: string) => string): JsonValue {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((one) => mapTexts(one, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mapTexts(one, change)]));
}

/** Paths of the texts that hold `${item}`. */
function strayItems(value: JsonValue, path: Path): Path[] {
  if (typeof value === 'string') return value.includes(ITEM) ? [path] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => strayItems(inner, [...path, key]));
}

/** Names that are declared twice; the server would say so too, but not where. */
function duplicates(values: readonly JsonValue[], entries: readonly Entry[], yaml: YamlSource): LocatedFault[] {
  const first = new Map<string, Path>();
  return values.flatMap((value, index): LocatedFault[] => {
    const name = typeof value === 'object' && value !== null && 'name' in value ? value['name'] : undefined;
    const path = entries[index]?.path;
    if (typeof name !== 'string' || path === undefined) return [];
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, path);
      return [];
    }
    const place = placeText(yaml.locate([...earlier, 'name']));
    return [faultAt(yaml, [...path, 'name'], `"${name}" is declared twice; the first time in ${place}`)];
  });
}
