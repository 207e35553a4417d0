import { jsonPointer } from '@tocsin/contracts';
import type { JsonValue } from '@tocsin/domain';
import type { LocatedFault, YamlSource } from './yaml-source.js';

/** What references are resolved from. */
export interface ReferenceSources {
  env: Readonly<Record<string, string | undefined>>;
  /** Text of a file named in `${file:…}`; rejects if it cannot be read. */
  readText: (path: string) => Promise<string>;
}

/** A path into the file. */
export type Path = readonly (string | number)[];

const REFERENCE = /\$\{(env|file):([^}]*)\}/g;

/**
 * Replaces `${env:NAME}` and `${file:PATH}` in texts. A message names the reference, never what it stands for; what it stands for is not
 * looked into again.
 */
export class ReferenceResolver {
  readonly #files = new Map<string, Promise<string>>();

  constructor(
    private readonly sources: ReferenceSources,
    private readonly yaml: Pick<YamlSource, 'locate'>,
    private readonly faults: LocatedFault[],
  ) {}

  /** A copy of `value`, which stands at `path`, with everything replaced that can be; what cannot becomes a fault. */
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
      resolved += text.slice(from, match.index) + (await this.#referred(kind, name.trim(), reference, path));
      from = match.index + reference.length;
    }
    return resolved + text.slice(from);
  }

  async #referred(kind: string, name: string, reference: string, path: Path): Promise<string> {
    const fail = (detail: string) => {
      this.faults.push({
        pointer: jsonPointer(path),
        detail: `${reference}: ${detail}`,
        place: this.yaml.locate(path),
      });
      // Stands for what is missing, so that a check of the whole says nothing more about it.
      return '';
    };
    if (name === '') return fail(kind === 'env' ? 'names no environment variable' : 'names no file');
    if (kind === 'env') {
      return this.sources.env[name] ?? fail('the environment variable is not set');
    }
    try {
      return await this.#file(name);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
      return fail(`the file cannot be read${code}`);
    }
  }

  /** Each file is read once, however many targets name it. */
  #file(name: string): Promise<string> {
    const text = this.#files.get(name) ?? this.sources.readText(name);
    this.#files.set(name, text);
    return text;
  }
}
