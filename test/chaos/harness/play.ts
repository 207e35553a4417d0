import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Outcome, type Scenario, SkippedScenario } from './scenario.js';
import { World } from './world.js';

/** Those that are being played. */
const playing = new Set<World>();

/** Ends whatever is being played: for a Ctrl-C, which must leave no process and no disk behind. */
export async function endAll(): Promise<void> {
  await Promise.allSettled([...playing].map((world) => world.end()));
}

/**
 * Plays one scenario with one seed. Never throws: whatever fails is in the outcome.
 * @param evidence folder for what every receiver saw and every process wrote, where a promise was broken
 */
export async function play(scenario: Scenario, seed: number, evidence?: string): Promise<Outcome> {
  const startedMs = performance.now();
  const world = new World(diceOf(scenario.name, seed));
  playing.add(world);
  const outcome: Outcome = {
    ...{ scenario: scenario.name, what: scenario.what, seed, verdict: 'kept', seconds: 0 },
    ...{ subscribers: [], breaches: world.breaches, notes: world.notes },
  };
  try {
    await scenario.play(world);
    outcome.subscribers = await world.settle(scenario.toldWithinMs);
  } catch (error) {
    if (error instanceof SkippedScenario) outcome.verdict = 'skipped';
    else outcome.subscribers = world.judgements();
    outcome.breaches.push(error instanceof Error ? error.message : String(error));
  }
  outcome.breaches.push(...outcome.subscribers.flatMap(({ breaches }) => breaches));
  if (outcome.breaches.length > 0 && outcome.verdict === 'kept') outcome.verdict = 'broken';
  if (outcome.verdict === 'broken' && evidence !== undefined)
    await keep(join(evidence, `${scenario.name}-${seed}`), world);
  await world.end().catch((error: unknown) => {
    outcome.verdict = 'broken';
    outcome.breaches.push(`it does not end: ${error instanceof Error ? error.message : String(error)}`);
  });
  playing.delete(world);
  outcome.seconds = (performance.now() - startedMs) / 1_000;
  return outcome;
}

async function keep(folder: string, world: World): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Promise.all(
    Object.entries(world.evidence()).map(([name, text]) =>
      writeFile(join(folder, name.replaceAll(/[^\w.-]+/g, '-')), text),
    ),
  );
}

/** Each scenario throws its own dice: with one seed they do not all take the same turn. */
function diceOf(name: string, seed: number): number {
  return [...name].reduce((hash, letter) => Math.imul(hash, 31) + letter.charCodeAt(0), seed);
}
