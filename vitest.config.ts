import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { RetriedReporter } from './tools/retried-reporter.js';

// Libraries are tested from source: the condition stands in both places because vitest resolves some imports as a server would.
// `import` must not: vitest hands the list to Node, whose `require` would then get ESM where a package has both.
const resolve = { conditions: ['@tocsin/source', 'node'] };
// Specs stand outside of the projects' tsconfig files, so what Nest needs of the compiler is said here again.
const oxc = { decorator: { legacy: true, emitDecoratorMetadata: true } };
const base = { resolve, ssr: { resolve }, oxc };

// CI's machines are shared and may stand still for seconds: there a test that failed is tried again, and the report says which.
const retry = process.env['CI'] === undefined ? 0 : 2;
// Suites that start servers wait for them half of the time: three files at a time keep two cores busy.
const servers = {
  maxWorkers: 3,
  testTimeout: 120_000,
  hookTimeout: 180_000,
  retry,
  env: {
    // Hundreds of processes start the same code, and more than a hundred Postgres clusters begin alike: see `seedCluster`.
    NODE_COMPILE_CACHE: join(import.meta.dirname, '.cache/compile'),
    TEST_POSTGRES_CLUSTER: join(import.meta.dirname, '.cache/cluster'),
  },
};

export default defineConfig({
  ...base,
  test: {
    reporters: ['default', new RetriedReporter()],
    projects: [
      {
        ...base,
        test: {
          name: 'unit',
          include: ['{apps,libs}/*/src/**/*.spec.ts'],
          exclude: ['**/*.int.spec.ts', '**/node_modules/**', '**/dist/**'],
          // Property tests are quick alone; beside everything else on two cores they are not.
          testTimeout: 30_000,
        },
      },
      {
        ...base,
        test: {
          name: 'architecture',
          include: ['test/architecture/**/*.spec.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...base,
        test: {
          name: 'int',
          include: ['{apps,libs}/*/src/**/*.int.spec.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          ...servers,
        },
      },
      { ...base, test: { name: 'e2e', include: ['test/e2e/**/*.spec.ts'], ...servers } },
      {
        ...base,
        test: {
          name: 'chaos',
          include: ['test/{chaos,soak}/**/*.spec.ts'],
          ...servers,
          testTimeout: 300_000,
        },
      },
    ],
  },
});
