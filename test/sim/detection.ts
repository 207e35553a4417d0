import { parseArgs } from 'node:util';
import { DEFAULT_FAULTS } from './fault-model.js';
import { simulate, type Outcome, type Setup } from './simulate.js';

// How often Tocsin cries wolf, and how quickly it tells the truth: the real state machine and vote logic in virtual time.
//   npm run sim:detection -- [--seed 1] [--targets 400] [--days 20]

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    targets: { type: 'string', default: String(DEFAULT_FAULTS.targets) },
    days: { type: 'string', default: String(DEFAULT_FAULTS.days) },
  },
});
const faults = { ...DEFAULT_FAULTS, targets: Number(values.targets), days: Number(values.days) };

const SETUPS: readonly Setup[] = [
  { name: 'one observer', observers: 1, canaries: 0 },
  { name: 'one observer, two canaries', observers: 1, canaries: 2 },
  { name: 'three observers with votes', observers: 3, canaries: 0 },
];

/** What three observers must reach under the default model. */
const AIM = { falseDowns: 5, meanS: 16, p99S: 22, probes: 6.1 };

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function row(cells: readonly string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(28) : cell.padStart(16))).join('');
}

function show(outcome: Outcome): string {
  return row([
    outcome.setup,
    outcome.falseDownsPerThousandAndDay.toFixed(2),
    `${outcome.detectionMeanS.toFixed(1)} s`,
    `${outcome.detectionP99S.toFixed(1)} s`,
    `${outcome.missed} of ${outcome.outages}`,
    outcome.probesPerTargetAndMinute.toFixed(3),
  ]);
}

const { brownOut, observerOffline, outage } = faults;
print(
  [
    `${faults.targets} targets, ${faults.days} days, seed ${values.seed}; ${faults.probeLoss * 100} % of probes lost;`,
    `brown-outs of one path ${brownOut.perDay}/day, ${brownOut.lastsS} s; observers offline ${observerOffline.perDay}/day,`,
    `${observerOffline.lastsS} s; real outages ${outage.perDay}/day, ${outage.lastsS} s; every failure takes its whole time-out.`,
  ].join('\n'),
);
print(row(['', 'false downs¹', 'detection mean', 'p99', 'missed', 'probes²']));
const outcomes = SETUPS.map((setup) => {
  const outcome = simulate(setup, faults, Number(values.seed));
  print(show(outcome));
  return outcome;
});
print(
  '¹ per 1,000 targets and day   ² per target and minute, votes included   missed: began while the target was thought down',
);

const voted = outcomes.at(-1);
const reached =
  voted !== undefined &&
  voted.falseDownsPerThousandAndDay <= AIM.falseDowns &&
  voted.detectionMeanS <= AIM.meanS &&
  voted.detectionP99S <= AIM.p99S &&
  voted.probesPerTargetAndMinute <= AIM.probes;
const aim = `≤ ${AIM.falseDowns} false downs, mean ≤ ${AIM.meanS} s, p99 ≤ ${AIM.p99S} s, ≤ ${AIM.probes} probes`;
print(`${reached ? 'reached' : 'MISSED'} by three observers: ${aim}`);
process.exitCode = reached ? 0 : 1;
