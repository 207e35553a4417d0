import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { look, ROOT, SPECS, type Findings } from './cruise.js';

interface Manifest {
  name: string;
  private: boolean;
  type: string;
  exports?: Record<string, { '@tocsin/source': string }>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

interface Project {
  /** `libs/domain`. */
  folder: string;
  manifest: Manifest;
}

const read = (path: string): unknown => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));

const projects: Project[] = ['apps', 'libs'].flatMap((kind) =>
  readdirSync(join(ROOT, kind))
    .filter((name) => existsSync(join(ROOT, kind, name, 'package.json')))
    .map((name) => ({ folder: `${kind}/${name}`, manifest: read(`${kind}/${name}/package.json`) as Manifest })),
);
const folderOf = new Map(projects.map(({ folder, manifest }) => [manifest.name, folder]));
const ours = (dependencies: Record<string, string> = {}) =>
  Object.keys(dependencies)
    .filter((name) => folderOf.has(name))
    .sort();
const referencesOf = (folder: string) =>
  (read(join(folder, 'tsconfig.json')) as { references?: { path: string }[] }).references ?? [];

describe('the project graph', () => {
  let graph: Record<string, { target: string }[]>;

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-graph-'));
    try {
      const file = join(folder, 'graph.json');
      execFileSync(process.execPath, [join(ROOT, 'node_modules/nx/dist/bin/nx.js'), 'graph', `--file=${file}`], {
        cwd: ROOT,
        env: { ...process.env, NX_DAEMON: 'false' },
        stdio: 'pipe',
      });
      const { graph: found } = JSON.parse(readFileSync(file, 'utf8')) as { graph: { dependencies: typeof graph } };
      graph = found.dependencies;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('has every package', () => {
    expect(Object.keys(graph).sort()).toEqual([...folderOf.keys()].sort());
  });

  it.each(projects)('shows for $folder what its package.json and its sources say', ({ manifest }) => {
    const targets = (graph[manifest.name] ?? []).map(({ target }) => target).filter((target) => folderOf.has(target));
    expect([...new Set(targets)].sort()).toEqual(
      [...ours(manifest.dependencies), ...ours(manifest.devDependencies)].sort(),
    );
  });

  it('has no circle', () => {
    const done = new Set<string>();
    const visit = (name: string, path: readonly string[]): void => {
      expect(path, [...path, name].join(' → ')).not.toContain(name);
      if (done.has(name)) return;
      for (const { target } of graph[name] ?? []) if (folderOf.has(target)) visit(target, [...path, name]);
      done.add(name);
    };
    for (const name of folderOf.keys()) visit(name, []);
    expect(done.size).toBe(projects.length);
  });
});

describe('imports between packages', () => {
  let tree: Findings;

  beforeAll(async () => {
    tree = await look(ROOT, ['apps', 'libs']);
  });

  const importedBy = (folder: string, wanted: (path: string) => boolean) => {
    const targets = tree.imports
      .filter(({ from }) => from.startsWith(`${folder}/`) && wanted(from))
      .flatMap(({ to }) =>
        projects.filter((project) => to.startsWith(`${project.folder}/`) && project.folder !== folder),
      )
      .map(({ manifest }) => manifest.name);
    return [...new Set(targets)].sort();
  };

  it.each(projects)('of $folder are its dependencies, no less and no more', ({ folder, manifest }) => {
    expect(importedBy(folder, (path) => !SPECS.test(path))).toEqual(ours(manifest.dependencies));
  });

  it.each(projects)('of the specs of $folder are its devDependencies besides', ({ folder, manifest }) => {
    const declared = ours(manifest.dependencies);
    const besides = importedBy(folder, (path) => SPECS.test(path)).filter((name) => !declared.includes(name));
    expect(besides).toEqual(ours(manifest.devDependencies));
  });
});

describe('the build', () => {
  it('builds every project', () => {
    const built = referencesOf('.').map(({ path }) => path);
    expect(built.sort()).toEqual(projects.map(({ folder }) => folder).sort());
  });

  it.each(projects)('of $folder waits for the packages it depends on', ({ folder, manifest }) => {
    const references = referencesOf(folder).map(({ path }) => join(folder, path));
    expect(references.sort()).toEqual(
      ours(manifest.dependencies)
        .map((name) => folderOf.get(name))
        .sort(),
    );
  });
});

describe('packages', () => {
  it.each(projects)('$folder is private and ESM, and its entries exist', ({ folder, manifest }) => {
    expect(manifest).toMatchObject({ name: `@tocsin/${folder.split('/')[1]}`, private: true, type: 'module' });
    for (const entry of Object.values(manifest.exports ?? {})) {
      expect(existsSync(join(ROOT, folder, entry['@tocsin/source'])), entry['@tocsin/source']).toBe(true);
    }
  });
});
