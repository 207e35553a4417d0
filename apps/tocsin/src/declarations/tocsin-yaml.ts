import { applyRequestSchema, type ApplyRequest, faultsOf, jsonPointer, nameSchema } from '@tocsin/contracts';
import type { Fault, JsonObject, JsonValue } from '@tocsin/domain';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { locatedError, parseYaml, type YamlSource } from './yaml-source.js';

/** The frame of `tocsin.yaml`; what stands in the lists is checked once templates and references are resolved. */
const frameSchema = z.strictObject({
  version: z.literal(1, { error: 'must be 1' }),
  owner: nameSchema.optional(),
  targets: z.array(z.looseObject({}, { error: 'must be a target: an object with name, kind, check …' })).default([]),
  subscriptions: z
    .array(z.looseObject({}, { error: 'must be a subscription: an object with name, types, destination …' }))
    .default([]),
});

const eachSchema = z
  .array(z.union([z.string(), z.number()]).transform(String))
  .min(1, 'must name at least one item')
  .max(10_000, 'must be at most 10000 items');

type Path = readonly (string | number)[];
type Located = Fault & { at: string };

/** What references are resolved from. */
export interface ReferenceSources {
  env: Readonly<Record<string, string | undefined>>;
  /** Text of a file named in `${file:…}`; rejects if it cannot be read. */
  readText: (path: string) => Promise<string>;
}

/**
 * Reads `tocsin.yaml`: templates (`each` with `${item}`) are laid out, `${env:NAME}` and `${file:PATH}` replaced, everything is
 * checked against the same schemas as the API's bodies. Nothing is applied here.
 * @throws TocsinError `TCN_MALFORMED` (not YAML), `TCN_INVALID` (each with file, line and column), or what reading the file throws
 */
export async function readTocsinYaml(file: string, env: ReferenceSources['env'] = process.env): Promise<ApplyRequest> {
  const text = await readFile(file, 'utf8');
  const folder = dirname(resolve(file));
  return parseTocsinYaml(text, file, {
    env,
    readText: async (path) => (await readFile(resolve(folder, path), 'utf8')).replace(/\r?\n$/, ''),
  });
}

/** {@link readTocsinYaml} of a text that is already here. */
export async function parseTocsinYaml(text: string, file: string, sources: ReferenceSources): Promise<ApplyRequest> {
  const yaml = parseYaml(text, file);
  const frame = frameSchema.safeParse(yaml.value ?? {});
  if (!frame.success)
    throw locatedError(
      file,
      located(yaml, frame.error, (path) => path),
    );

  const faults: Located[] = [];
  const targets = layOut(frame.data.targets as JsonObject[], 'targets', yaml, faults);
  const subscriptions = layOut(frame.data.subscriptions as JsonObject[], 'subscriptions', yaml, faults);
  const places = { targets: targets.map((one) => one.path), subscriptions: subscriptions.map((one) => one.path) };
  const resolver = new ReferenceResolver(sources, yaml, faults);
  const request = {
    ...(frame.data.owner === undefined ? {} : { owner: frame.data.owner }),
    targets: await Promise.all(targets.map((one) => resolver.resolve(one.value, one.path))),
    subscriptions: await Promise.all(subscriptions.map((one) => resolver.resolve(one.value, one.path))),
  };
  if (faults.length > 0) throw locatedError(file, faults);

  const checked = applyRequestSchema.safeParse(request);
  if (checked.success) return checked.data;
  // Back from the laid-out lists to where the entry stands in the file.
  const inFile = (path: Path): Path => {
    const [list, index, ...rest] = path;
    if (list !== 'targets' && list !== 'subscriptions') return path;
    const place = typeof index === 'number' ? places[list][index] : undefined;
    return place === undefined ? path : [...place, ...rest];
  };
  throw locatedError(file, located(yaml, checked.error, inFile));
}

function located(yaml: YamlSource, error: z.ZodError, inFile: (path: Path) => Path): Located[] {
  return faultsOf(error).map((fault) => {
    const path = inFile(fault.pointer.split('/').slice(1).map(unescapePointer));
    return { pointer: jsonPointer(path), detail: fault.detail, at: yaml.locate(path) };
  });
}

function unescapePointer(token: string): string | number {
  return /^\d+$/.test(token) ? Number(token) : token.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Lays out `each`: one entry an item, `${item}` replaced in every text. Entries without it stay as they are. */
function layOut(
  entries: JsonObject[],
  list: 'targets' | 'subscriptions',
  yaml: YamlSource,
  faults: Located[],
): { value: JsonObject; path: Path }[] {
  return entries.flatMap((entry, index) => {
    const path = [list, index];
    const { each, ...template } = entry;
    if (each === undefined) return [{ value: entry, path }];
    const items = eachSchema.safeParse(each);
    if (!items.success) {
      faults.push(...located(yaml, items.error, (inner) => [...path, 'each', ...inner]));
      return [];
    }
    return items.data.map((item) => ({
      value: mapTexts(template, (text) => text.replaceAll('${item}', () => item)) as JsonObject,
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

const REFERENCE = /\$\{(env|file):([^}]+)\}/g;

/** Replaces `${env:NAME}` and `${file:PATH}` in texts. A message names the reference, never what it stands for. */
class ReferenceResolver {
  constructor(
    private readonly sources: ReferenceSources,
    private readonly yaml: YamlSource,
    private readonly faults: Located[],
  ) {}

  async resolve(value: JsonValue, path: Path): Promise<JsonValue> {
    if (typeof value === 'string') return this.#text(value, path);
    if (Array.isArray(value)) return Promise.all(value.map((one, index) => this.resolve(one, [...path, index])));
    if (value === null || typeof value !== 'object') return value;
    const entries = Object.entries(value).map(
      async ([key, one]) => [key, await this.resolve(one, [...path, key])] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  async #text(text: string, path: Path): Promise<string> {
    let resolved = '';
    let from = 0;
    for (const match of text.matchAll(REFERENCE)) {
      const [reference, kind = '', name = ''] = match;
      resolved += text.slice(from, match.index) + (await this.#referred(kind, name, reference, path));
      from = match.index + reference.length;
    }
    return resolved + text.slice(from);
  }

  async #referred(kind: string, name: string, reference: string, path: Path): Promise<string> {
    const fail = (detail: string) => {
      this.faults.push({ pointer: jsonPointer(path), detail: `${reference}: ${detail}`, at: this.yaml.locate(path) });
      return '';
    };
    if (kind === 'env') return this.sources.env[name] ?? fail('the environment variable is not set');
    try {
      return await this.sources.readText(name);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
      return fail(`the file cannot be read${code}`);
    }
  }
}
