import type { Overlay, Transition } from '@tocsin/domain';
import type { Target } from '../targets/target.js';
import type { Damping, FlapDamper } from './flap-damper.js';
import type { GroupStorms } from './group-storms.js';
import type { MaintenanceCalendar } from './maintenance-calendar.js';
import type { ParentWatch } from './parent-watch.js';

export interface OverlaysDeps {
  maintenance: Pick<MaintenanceCalendar, 'covers'>;
  flaps: Pick<FlapDamper, 'flapping' | 'damping' | 'restore' | 'forget'>;
  parents: Pick<ParentWatch, 'ask' | 'hides' | 'forget'>;
  storms: Pick<GroupStorms, 'ask' | 'causeOf' | 'restore' | 'forget'>;
}

/** What lies over targets now: the reasons for which a change is stored and told to nobody. */
export class Overlays {
  readonly #deps: OverlaysDeps;

  constructor(deps: OverlaysDeps) {
    this.#deps = deps;
  }

  /** Finds out what has to be known before a change can be told: a dead parent, an outage of the whole group. Never rejects. */
  async consider(target: Target, transition: Transition): Promise<void> {
    if (transition.to !== 'down') return;
    const { parents, storms } = this.#deps;
    await parents.ask(target);
    // Who is kept back anyway is no sign of a storm.
    if (this.over(target).length === 0) await storms.ask(target, transition);
  }

  over({ subject, spec }: Target): readonly Overlay[] {
    const { maintenance, flaps, parents, storms } = this.#deps;
    const overlays: Overlay[] = [];
    if (maintenance.covers(spec.labels)) overlays.push('maintenance');
    if (flaps.flapping(subject)) overlays.push('flapping');
    if (parents.hides(subject)) overlays.push('unreachable');
    if (storms.causeOf(subject) !== undefined) overlays.push('storm');
    return overlays;
  }

  /** Id of the event of the group that stands for the target's own. */
  causeOf({ subject }: Target): string | undefined {
    return this.#deps.storms.causeOf(subject);
  }

  damping({ subject }: Target): Damping | undefined {
    return this.#deps.flaps.damping(subject);
  }

  /**
   * Takes up what the log says of a target that was watched by another process until now.
   * @param ageMs how old the log's newest word is
   */
  async restore(
    target: Target,
    because: readonly Overlay[],
    damping: Damping | undefined,
    ageMs: number,
  ): Promise<void> {
    const { flaps, parents, storms } = this.#deps;
    if (damping !== undefined) flaps.restore(target, damping, ageMs);
    if (because.includes('storm')) storms.restore(target);
    if (because.includes('unreachable')) await parents.ask(target);
  }

  forget(target: Target): void {
    this.#deps.flaps.forget(target);
    this.#deps.parents.forget(target);
    this.#deps.storms.forget(target);
  }
}
