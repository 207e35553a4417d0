import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { SCENARIOS } from '../scenarios/index.js';
import { endAll, play } from './play.js';
import { markdownTable, progressLine, summary } from './report.js';
import type { Outcome, Scenario } from './scenario.js';

// npm run test:chaos -- [--runs 1] [--seed 1] [--only NAME,NAME] [--jobs 1] [--json] [--markdown FILE]
//   [--evidence FOLDER] [--list]
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    markdown: { type: 'string' },
    evidence: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

function wholeNumber(name: 'runs' | 'seed' | 'jobs'): number {
  const number = Number(values[name]);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${name} must be a whole number from 1`);
  return number;
}

function chosen(): readonly Scenario[] {
  if (values.only === undefined) return SCENARIOS;
  return values.only.split(',').map((name) => {
    const scenario = SCENARIOS.find((each) => each.name === name);
    if (scenario === undefined) throw new Error(`there is no scenario ${name}; --list names them`);
    return scenario;
  });
}

/** Each scenario with each seed, the seeds in turns; `jobs` of them at a time. */
async function playAll(scenarios: readonly Scenario[]): Promise<Outcome[]> {
  const [runs, seed, jobs] = [wholeNumber('runs'), wholeNumber('seed'), wholeNumber('jobs')];
  const due = Array.from({ length: runs }, (_, run) =>
    scenarios.map((scenario) => ({ scenario, seed: seed + run })),
  ).flat();
  const outcomes: Outcome[] = [];
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      for (let next = due.shift(); next !== undefined; next = due.shift()) {
        const outcome = await play(next.scenario, next.seed, values.evidence);
        outcomes.push(outcome);
        process.stderr.write(`${progressLine(outcome)}\n`);
        // At once: many runs take hours, and what is known so far is worth reading, also if they are ended early.
        if (values.markdown !== undefined) await writeFile(values.markdown, tableOf(outcomes));
      }
    }),
  );
  return sorted(outcomes);
}

/** In the order of the table, whichever ended first. */
function sorted(outcomes: readonly Outcome[]): Outcome[] {
  const order = new Map(SCENARIOS.map(({ name }, index) => [name, index]));
  return outcomes.toSorted(
    (one, other) => (order.get(one.scenario) ?? 0) - (order.get(other.scenario) ?? 0) || one.seed - other.seed,
  );
}

function tableOf(outcomes: readonly Outcome[]): string {
  return `${markdownTable(sorted(outcomes))}\n\n${summary(outcomes)}\n`;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().finally(() => process.exit(130)));
}

if (values.list) {
  for (const { name, what } of SCENARIOS) process.stdout.write(`${name.padEnd(24)} ${what}\n`);
} else {
  const outcomes = await playAll(chosen());
  process.stdout.write(values.json ? `${JSON.stringify(outcomes, undefined, 2)}\n` : tableOf(outcomes));
  process.exitCode = outcomes.some(({ verdict }) => verdict === 'broken') ? 1 : 0;
}
