import { cruise, type IConfiguration, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { join } from 'node:path';

/** The project's root. */
export const ROOT = join(import.meta.dirname, '..', '..');

const CONFIG = join(ROOT, '.dependency-cruiser.mjs');

/** What one look at a tree has found. */
export interface Findings {
  /** Modules looked at, by their path in the tree. */
  modules: string[];
  /** Imports, from one module to another, by their paths. */
  imports: { from: string; to: string }[];
  /** Each forbidden import: which rule it breaks, from where, to what. */
  violations: { rule: string; from: string; to: string }[];
}

const config = (await import(CONFIG)) as { default: IConfiguration; SPECS: string };

/** The rules in force. */
export const RULES = (config.default.forbidden ?? []).map((rule: IForbiddenRuleType) => rule.name ?? '');

/** Paths of specs and of what stands beside them for them alone. */
export const SPECS = new RegExp(config.SPECS);

/**
 * Looks at the folders of a tree with the project's own rules.
 * @param baseDir root of the tree; paths in the rules are seen from there
 * @param tsConfig where the tree resolves its packages' names by `paths` instead of workspaces
 */
export async function look(baseDir: string, folders: readonly string[], tsConfig?: string): Promise<Findings> {
  const options = await extractOptions(CONFIG);
  const { output } = await cruise(
    [...folders],
    { ...options, baseDir, ...(tsConfig === undefined ? {} : { tsConfig: { fileName: tsConfig } }) },
    undefined,
    tsConfig === undefined ? undefined : { tsConfig: extractTsConfig(tsConfig) },
  );
  if (typeof output === 'string') throw new Error(`dependency-cruiser gave a report instead of a result:\n${output}`);
  return findingsOf(output);
}

function findingsOf({ modules }: ICruiseResult): Findings {
  return {
    modules: modules.filter(({ followable }) => followable !== false).map(({ source }) => source),
    imports: modules.flatMap(({ source, dependencies }) =>
      dependencies.map(({ resolved }) => ({ from: source, to: resolved })),
    ),
    violations: modules.flatMap(({ source, dependencies }) =>
      dependencies.flatMap(({ rules = [], resolved }) =>
        rules.map(({ name }) => ({ rule: name, from: source, to: resolved })),
      ),
    ),
  };
}
