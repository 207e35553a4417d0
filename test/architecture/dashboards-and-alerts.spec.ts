import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { METRICS_DOCS_PATH } from '../../tools/metrics-docs.js';
import { ROOT } from './cruise.js';

const run = promisify(execFile);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const ALERTS = 'deploy/prometheus/alerts.yaml';
const ALERT_TESTS = 'deploy/prometheus/alerts.test.yaml';
const GRAFANA = 'deploy/grafana';

interface Rules {
  groups: { rules: { alert: string; expr: string }[] }[];
}
interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
}
interface Dashboard {
  uid: string;
  panels: { id: number; title: string; targets: { expr: string }[] }[];
}

const documented = new Map(
  [...read(METRICS_DOCS_PATH).matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name = '', type = '']) => [name, type]),
);
const rules = (parse(read(ALERTS)) as Rules).groups.flatMap((group) => group.rules);
const dashboards = readdirSync(join(ROOT, GRAFANA)).map((file) => ({
  file,
  dashboard: JSON.parse(read(join(GRAFANA, file))) as Dashboard,
}));

const expressions = dashboards.flatMap(({ file, dashboard }) =>
  dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ panel: `${file}: ${title}`, expr }))),
);

/** An expression with times where Grafana would put them. */
function timed(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h');
}

/** Metrics an expression names that docs/metrics.md does not have, or has as another type. */
function unknownIn(expr: string): string[] {
  const names = expr.match(/\b(?:tocsin|http|process|nodejs)_\w+/g) ?? [];
  expect(names, expr).not.toEqual([]);
  return names.filter((name) => {
    const base = name.replace(/_(?:bucket|sum|count)$/, '');
    return !documented.has(name) && documented.get(base) !== 'histogram';
  });
}

describe('alert rules', () => {
  it.each(rules)('$alert names metrics that exist', ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  it.each(rules)('$alert is tested: where it fires and where it stays silent', ({ alert }) => {
    const expected = (parse(read(ALERT_TESTS)) as RuleTests).tests
      .flatMap((test) => test.alert_rule_test)
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts: alerts }) => alerts.length > 0);
    expect(expected.toSorted()).toEqual([false, true]);
  });
});

const promtool = await run('promtool', ['--version']).then(
  () => true,
  () => false,
);

// promtool comes with Debian's package `prometheus`; without it expressions are read, but not run.
const CHECKS: [string, () => Promise<void>][] = [
  [
    'takes the rules',
    async () => {
      await expect(run('promtool', ['check', 'rules', ALERTS], { cwd: ROOT })).resolves.toBeDefined();
    },
  ],
  [
    'finds every rule to do what its tests say',
    async () => {
      const { stdout, stderr } = await run('promtool', ['test', 'rules', ALERT_TESTS], { cwd: ROOT });
      expect(stdout + stderr).toContain('SUCCESS');
    },
  ],
  [
    'takes every expression of the dashboards',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'tocsin-promtool-'));
      try {
        const file = join(folder, 'expressions.yaml');
        const recorded = expressions.map(({ expr }, index) => ({ record: `expression:${index}`, expr: timed(expr) }));
        writeFileSync(file, stringify({ groups: [{ name: 'dashboards', rules: recorded }] }));
        const { stdout } = await run('promtool', ['check', 'rules', file]);
        expect(stdout).toContain(`${expressions.length} rules found`);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  ],
];
const WITHOUT: typeof CHECKS = [
  [
    'is not on the PATH (Debian: apt-get install prometheus), so expressions were read but NOT RUN',
    () => Promise.resolve(),
  ],
];

describe('promtool', () => {
  it.each(promtool ? CHECKS : WITHOUT)('%s', (_what, check) => check());
});

describe('dashboards', () => {
  it('are fleet, delivery, log and runtime, each with an id of its own', () => {
    expect(dashboards.map(({ file }) => file).toSorted()).toEqual([
      'delivery.json',
      'fleet.json',
      'log.json',
      'runtime.json',
    ]);
    expect(new Set(dashboards.map(({ dashboard }) => dashboard.uid)).size).toBe(dashboards.length);
  });

  it.each(expressions)('$panel shows metrics that exist', ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  it('leave out no metric of ours', () => {
    const used = [...expressions, ...rules].map(({ expr }) => expr).join('\n');
    expect([...documented.keys()].filter((name) => !used.includes(name))).toEqual([]);
  });
});
