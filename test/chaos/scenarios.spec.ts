import { describe, expect, it } from 'vitest';
import { play } from './harness/play.js';
import { markdownTable, summary } from './harness/report.js';
import type { Outcome, Scenario } from './harness/scenario.js';
import { SkippedScenario } from './harness/scenario.js';
import { SCENARIOS } from './scenarios/index.js';

// All of them are played by `npm run test:chaos`, which takes its time; these two keep the harness itself from falling behind.
const PLAYED = ['kill-in-flight', 'replica-killed'];

describe('the scenarios', () => {
  it('have names of their own', () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  });

  it.concurrent.each(PLAYED)('%s keeps every promise', async (name) => {
    const scenario = SCENARIOS.find((each) => each.name === name)!;
    const outcome = await play(scenario, Math.floor(Math.random() * 1_000) + 1);
    expect([outcome.seed, outcome.breaches, outcome.verdict]).toEqual([outcome.seed, [], 'kept']);
  });
});

describe('what is played', () => {
  const scenario = (name: string, fails: Error): Scenario => ({
    name,
    what: 'nothing',
    play: () => Promise.reject(fails),
  });

  it('is broken where it fails, and skipped where it says so; neither counts as kept', async () => {
    const outcomes: Outcome[] = [
      await play(scenario('fails', new Error('it fell over')), 1),
      await play(scenario('skips', new SkippedScenario('no root')), 1),
    ];
    expect(outcomes.map(({ verdict, breaches }) => [verdict, breaches])).toEqual([
      ['broken', ['it fell over']],
      ['skipped', ['no root']],
    ]);
    expect(markdownTable(outcomes)).toContain('**0 of 1**');
    expect(markdownTable(outcomes)).toContain('SKIPPED: no root');
    expect(summary(outcomes)).toContain('2 runs: 0 kept, 1 broken, 1 skipped');
  });
});
