import { targetSpecSchema, type GroupOutage } from '@tocsin/contracts';
import type { HealthPhase } from '@tocsin/domain';
import { beforeEach, describe, expect, it } from 'vitest';
import { Target } from '../targets/target.js';
import { GroupStorms } from './group-storms.js';
import type { StormVerdict } from './storm-questions.js';

const GROUP = 'site=fra';
const OUTAGE: GroupOutage = {
  ...{ name: GROUP, revision: 7, event: 'evt_1', version: 1, episode: 'ep_1' },
  ...{ since: '2026-01-01T00:00:00.000Z', members: [] },
};

let verdict: StormVerdict;
let asked: string[];
let out: string[];
let probes: Map<string, number>;
let released: string[];
let storms: GroupStorms;

beforeEach(() => {
  verdict = { causedBy: OUTAGE.event };
  [asked, out, released, probes] = [[], [], [], new Map()];
  storms = new GroupStorms({
    questions: {
      ask: (_group, subject) => {
        asked.push(subject);
        return Promise.resolve(verdict);
      },
      out: (group, event) => out.push(`${group} ${event}`),
      forget: () => undefined,
    },
    size: () => 9,
    probeIn: ({ subject }, delayMs) => probes.set(subject, delayMs),
    onReleased: (subject) => released.push(subject),
  });
});

function target(name: string, phase: HealthPhase, labels: Record<string, string> = { site: 'fra' }): Target {
  const spec = targetSpecSchema.parse({ kind: 'node', labels, check: { type: 'tcp', host: '127.0.0.1', port: 1 } });
  const made = new Target({ name, revision: 1, spec }, 0);
  made.health = { ...made.health, phase };
  return made;
}

const become = (one: Target, phase: HealthPhase) => {
  one.health = { ...one.health, phase };
  storms.probed(one);
};

describe('members of a group that is out', () => {
  it('are taken in by the answer of the keeper, or without a question where the group is known to be out', async () => {
    const [first, second, third] = ['a', 'b', 'c'].map((name) => target(name, 'down')) as [Target, Target, Target];
    verdict = 'alone';
    await storms.ask(first, { episode: 'ep_a' });
    verdict = { causedBy: OUTAGE.event };
    await storms.ask(second, { episode: 'ep_b' });
    storms.began(OUTAGE);
    await storms.ask(third, { episode: 'ep_c' });
    expect(asked).toEqual(['node/a', 'node/b']);
    expect([first, second, third].map(({ subject }) => storms.causeOf(subject))).toEqual([undefined, 'evt_1', 'evt_1']);
    expect(out).toEqual([`${GROUP} evt_1`]);
  });

  it('are released at its end where they are up, and looked at again where they are still down', async () => {
    const [up, returning, dead] = [target('up', 'up'), target('returning', 'recovering'), target('dead', 'down')];
    storms.began(OUTAGE);
    for (const one of [up, returning, dead]) await storms.ask(one, {});
    storms.ended(GROUP);
    expect(released).toEqual(['node/up']);
    expect([...probes.keys()]).toEqual(['node/returning', 'node/dead']);
    for (const delayMs of probes.values()) expect(delayMs).toBeLessThan(dead.policy.intervalMs);
    become(dead, 'recovering');
    become(returning, 'recovering');
    expect(released).toEqual(['node/up']);
    become(returning, 'up');
    become(dead, 'down');
    expect(released).toEqual(['node/up', 'node/returning', 'node/dead']);
    expect(storms.causeOf('node/dead')).toBeUndefined();
  });

  it('stay with it while it lasts, whatever they are seen as, and where it is out again before they were looked at', async () => {
    const dead = target('dead', 'down');
    storms.began(OUTAGE);
    await storms.ask(dead, {});
    become(dead, 'recovering');
    become(dead, 'down');
    storms.ended(GROUP);
    storms.began({ ...OUTAGE, event: 'evt_2' });
    become(dead, 'down');
    expect(released).toEqual([]);
    expect(storms.causeOf(dead.subject)).toBe('evt_2');
  });

  it('are not taken in by an answer that comes after the end of what it speaks of', async () => {
    const late = target('late', 'down');
    const asking = storms.ask(late, {});
    storms.began(OUTAGE);
    storms.ended(GROUP);
    await asking;
    expect(storms.causeOf(late.subject)).toBeUndefined();
  });

  it('are nobody who is in no group', async () => {
    await storms.ask(target('lone', 'down', {}), {});
    expect(asked).toEqual([]);
  });
});
