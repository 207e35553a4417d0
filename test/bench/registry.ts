import { freePort } from '@tocsin/embedded';
import { FakeNode, ProcessGroup, type TestProcess } from '@tocsin/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

// npm run bench:registry -- [--targets 10000] [--subscriptions 10000]
const { values } = parseArgs({
  options: {
    targets: { type: 'string', default: '10000' },
    subscriptions: { type: 'string', default: '10000' },
  },
});
const TARGETS = Number(values.targets);
const SUBSCRIPTIONS = Number(values.subscriptions);

const ROOT = resolve(import.meta.dirname, '../..');
const KEY = 'bench-key-0123456789-0123456789-0123456789';
/** Pages read for each figure. */
const PAGES = 200;

/** One line of the table. */
interface Line {
  what: string;
  figure: string;
  aim?: string;
  reached?: boolean;
}

const lines: Line[] = [];
const note = (line: Line): void => {
  lines.push(line);
  process.stderr.write(`  ${line.what}: ${line.figure}\n`);
};

const folder = await mkdtemp(join(tmpdir(), 'tocsin-bench-registry-'));
const processes = new ProcessGroup();
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
// Something that is up: an outage of ten thousand targets would be measured as well.
const node = await FakeNode.start();

/** Milliseconds until it is ready, and the process. */
async function start(): Promise<{ child: TestProcess; tookMs: number }> {
  const since = performance.now();
  const child = await processes.spawn('tocsin', process.execPath, [join(ROOT, 'apps/tocsin/dist/main.js'), 'up'], {
    cwd: folder,
    env: {
      TOCSIN_API_KEY: KEY,
      TOCSIN_DATA_DIR: join(folder, 'data'),
      TOCSIN_HTTP_PORT: String(port),
      TOCSIN_GRPC_PORT: '0',
      TOCSIN_LOG_LEVEL: 'warn',
    },
    ready: { url: `${url}/readyz` },
    readyTimeoutMs: 120_000,
  });
  return { child, tookMs: performance.now() - since };
}

interface Answer {
  tookMs: number;
  body: Record<string, unknown>;
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const since = performance.now();
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(300_000),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer).slice(0, 500)}`);
  return { tookMs: performance.now() - since, body: answer };
}

const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${prefix}-${String(n).padStart(5, '0')}`);
const labelsOf = (index: number) => ({ site: `site-${index % 50}`, role: index % 2 === 0 ? 'edge' : 'core' });

const declarations = {
  owner: 'bench',
  // Once an hour: what is measured is declaring, not probing.
  targets: numbered('target', TARGETS).map((name, index) => ({
    name,
    kind: 'node',
    labels: labelsOf(index),
    check: { type: 'http', url: `${node.url}/?${name}`, interval: '1h' },
  })),
  subscriptions: numbered('subscription', SUBSCRIPTIONS).map((name, index) => ({
    name,
    types: ['com.acme.nothing.*'],
    labels: labelsOf(index),
    destination: { kind: 'webhook', url: `https://${name}.example.net/hook?token=${index}` },
  })),
};

/** Median of a call that does nothing, in ms: what this machine takes for any call now. */
let idleP50Ms = 0;

/** Median and 99th percentile of reading pages all over a list. */
async function pages(what: string, path: string, cursors: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < PAGES; n += 1) {
    const cursor = cursors[(n * 7) % cursors.length];
    times.push((await call('GET', `${path}${cursor === undefined ? '' : `&cursor=${cursor}`}`)).tookMs);
  }
  times.sort((one, other) => one - other);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  const ratio = idleP50Ms === 0 ? '' : `, ${(at(0.5) / idleP50Ms).toFixed(1)} times /healthz`;
  const figure = `p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms${ratio}`;
  note(path === '/healthz?' ? { what, figure } : { what, figure, aim: 'p99 < 50 ms', reached: at(0.99) < 50 });
  return at(0.5);
}

async function cursorsOf(path: string): Promise<string[]> {
  const cursors: string[] = [];
  for (let next: unknown = ''; typeof next === 'string';) {
    next = (await call('GET', `${path}${next === '' ? '' : `&cursor=${next}`}`)).body['next'];
    if (typeof next === 'string') cursors.push(next);
  }
  return cursors;
}

/** As many events of the same size through ingest: what the log alone takes for them. */
async function logAlone(): Promise<number> {
  const data = declarations.targets[0];
  const since = performance.now();
  const count = TARGETS + SUBSCRIPTIONS;
  for (let from = 0; from < count; from += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, count - from) }, (_, n) => ({
      specversion: '1.0',
      id: `raw-${from + n}`,
      source: 'urn:bench',
      type: 'com.acme.raw',
      subject: `raw/${from + n}`,
      data,
    }));
    const response = await fetch(`${url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/cloudevents-batch+json' },
      body: JSON.stringify(batch),
    });
    if (response.status !== 201) throw new Error(`raw events: ${response.status} ${await response.text()}`);
  }
  return performance.now() - since;
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

async function measure(): Promise<void> {
  const [load = 0] = loadavg();
  note({ what: 'load of this machine at the start', figure: `${load.toFixed(1)} on ${cpus().length} cores` });
  let { child } = await start();
  await child.stop();
  const empty = await start();
  child = empty.child;
  note({ what: 'restart with nothing declared', figure: seconds(empty.tookMs) });
  const raw = await logAlone();
  note({ what: `the log alone, ${TARGETS + SUBSCRIPTIONS} events by ingest`, figure: seconds(raw) });
  const first = await call('POST', '/v1/apply', declarations);
  const bytes = (Buffer.byteLength(JSON.stringify(declarations)) / 1024 ** 2).toFixed(1);
  note({
    what: `one apply, ${TARGETS} targets and ${SUBSCRIPTIONS} subscriptions, ${bytes} MiB`,
    figure: `${seconds(first.tookMs)}, ${(first.tookMs / raw).toFixed(1)} times the log alone`,
    aim: '≤ 60 s',
    reached: first.tookMs <= 60_000 && (first.body['created'] as string[]).length === TARGETS + SUBSCRIPTIONS,
  });
  const again = await call('POST', '/v1/apply', declarations);
  const unchanged = (again.body['unchanged'] as string[]).length === TARGETS + SUBSCRIPTIONS;
  note({
    what: 'the same again, changing nothing',
    figure: seconds(again.tookMs),
    aim: 'unchanged',
    reached: unchanged,
  });
  idleP50Ms = await pages('a call that does nothing', '/healthz?', []);
  for (const list of ['targets', 'subscriptions']) {
    const cursors = await cursorsOf(`/v1/${list}?limit=100`);
    await pages(`a page of 100 ${list}`, `/v1/${list}?limit=100`, cursors);
    await pages(`a page of 100 ${list} by labels`, `/v1/${list}?limit=100&labels=site=site-7,role=core`, []);
  }
  await rebuilt('projections made anew');
  await child.stop();
  const restarted = await start();
  child = restarted.child;
  note({
    what: 'restart until everything is ready, servers included',
    figure: `${seconds(restarted.tookMs)}, ${(restarted.tookMs / empty.tookMs).toFixed(1)} times the empty one`,
    aim: '≤ 10 s',
    reached: restarted.tookMs <= 10_000,
  });
  await rebuilt('projections made anew after the restart');
  await child.stop();
}

async function rebuilt(what: string): Promise<void> {
  const { tookMs, body } = await call('POST', '/v1/registry/rebuild');
  const tables = body['tables'] as { table: string; rows: number; changed: boolean }[];
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  note({
    what: `${what}, ${rows} rows`,
    figure: seconds(tookMs),
    aim: 'byte-equal',
    reached: tables.every(({ changed }) => !changed),
  });
}

try {
  await measure();
} finally {
  await processes.kill9();
  await node.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
for (const { what, figure, aim, reached } of lines) {
  console.log(
    `${what.padEnd(66)} ${figure.padEnd(44)} ${aim === undefined ? '' : `${aim}: ${reached ? 'yes' : 'NO'}`}`,
  );
}
process.exit(lines.every(({ reached }) => reached !== false) ? 0 : 1);
