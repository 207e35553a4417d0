import type { Judgement } from './judge.js';
import type { Outcome } from './scenario.js';

/** One line while it runs. */
export function progressLine({ scenario, seed, verdict, seconds, breaches, notes, subscribers }: Outcome): string {
  const told = subscribers.map((each) => `${each.subscriber} ${each.received}/${each.must}${repeats(each)}`).join(', ');
  const sign = { kept: '✔', broken: '✘', skipped: '–' }[verdict];
  const head = `${sign} ${scenario} (seed ${seed}, ${seconds.toFixed(1)} s): ${verdict === 'skipped' ? 'SKIPPED' : told}`;
  const after = verdict === 'kept' ? notes : breaches;
  return [head, ...after.map((line) => `    ${line}`)].join('\n');
}

/** The table of all runs, a line a scenario. */
export function markdownTable(outcomes: readonly Outcome[]): string {
  const names = [...new Set(outcomes.map(({ scenario }) => scenario))];
  const rows = names.map((name) => row(outcomes.filter(({ scenario }) => scenario === name)));
  const header = [
    'scenario',
    'what happens',
    'told / had to be told',
    'refused',
    'duplicates (in flight at kills)',
    'order',
    'seconds',
    'kept',
  ];
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function row(runs: readonly Outcome[]): string[] {
  const played = runs.filter(({ verdict }) => verdict !== 'skipped');
  const [one] = runs;
  if (one === undefined) return [];
  const head = [`\`${one.scenario}\``, one.what];
  if (played.length === 0) return [...head, '', '', '', '', '', `SKIPPED: ${one.breaches[0] ?? ''}`];
  const all = played.flatMap(({ subscribers }) => subscribers);
  const sum = (of: (each: Judgement) => number) => all.reduce((total, each) => total + of(each), 0);
  const seconds = played.map((each) => each.seconds);
  const kept = played.filter(({ verdict }) => verdict === 'kept').length;
  return [
    ...head,
    perSubscriber(played),
    String(sum(({ refused }) => refused)),
    `${sum(({ duplicates }) => duplicates)} (${sum(({ inFlightAtKills }) => inFlightAtKills)})`,
    all.every(({ order }) => order === 'kept') ? 'kept' : '**broken**',
    span(seconds),
    kept === played.length ? `${kept} of ${runs.length}` : `**${kept} of ${runs.length}**`,
  ];
}

/** Over all runs, subscriber by subscriber. */
function perSubscriber(played: readonly Outcome[]): string {
  const names = [...new Set(played.flatMap(({ subscribers }) => subscribers.map(({ subscriber }) => subscriber)))];
  return names
    .map((name) => {
      const own = played.flatMap(({ subscribers }) => subscribers.filter(({ subscriber }) => subscriber === name));
      const total = (of: (each: Judgement) => number) => own.reduce((sum, each) => sum + of(each), 0);
      return `${name} ${total(({ received }) => received)} / ${total(({ must }) => must)}`;
    })
    .join('<br>');
}

function span(seconds: readonly number[]): string {
  const [least = '', most = ''] = [Math.min(...seconds), Math.max(...seconds)].map((value) => value.toFixed(0));
  return least === most ? least : `${least}–${most}`;
}

function repeats({ duplicates, inFlightAtKills }: Judgement): string {
  return duplicates === 0 ? '' : ` (${duplicates} twice, ${inFlightAtKills} in flight at kills)`;
}

/** The last line. */
export function summary(outcomes: readonly Outcome[]): string {
  const count = (verdict: Outcome['verdict']) => outcomes.filter((each) => each.verdict === verdict).length;
  const all = outcomes.flatMap(({ subscribers }) => subscribers);
  const sum = (of: (each: Judgement) => number) => all.reduce((total, each) => total + of(each), 0);
  const lost = all.reduce((total, { must, received }) => total + Math.max(must - received, 0), 0);
  return (
    `${outcomes.length} runs: ${count('kept')} kept, ${count('broken')} broken, ${count('skipped')} skipped; ` +
    `${sum(({ received }) => received)} events told, ${lost} lost, ${sum(({ duplicates }) => duplicates)} twice ` +
    `(${sum(({ inFlightAtKills }) => inFlightAtKills)} in flight at kills; none of those twice had been answered for more than ` +
    `${Math.ceil(Math.max(0, ...all.map(({ answeredBeforeMs }) => answeredBeforeMs)))} ms before)`
  );
}
