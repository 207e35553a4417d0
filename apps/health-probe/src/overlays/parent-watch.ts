import type { Check, WatchedTarget } from '@tocsin/contracts';
import {
  ancestorsOf,
  hiddenBy,
  parseDuration,
  recheckDelayMs,
  type ProbeResult,
  type VoidedProbe,
} from '@tocsin/domain';
import type { Target } from '../targets/target.js';

export interface ParentWatchDeps {
  declared: (name: string) => WatchedTarget | undefined;
  check: (check: Check) => Promise<ProbeResult | VoidedProbe>;
  /** Probe this target again so much later. */
  probeIn: (target: Target, delayMs: number) => void;
  /** It is judged by itself again. */
  onLifted: (target: Target) => void;
}

interface Hidden {
  target: Target;
  /** The parent that fails. */
  parent: string;
  /** The parent is back; the next results of the target itself decide. */
  rechecking: boolean;
}

/**
 * Tells targets that are dead from those that merely cannot be reached, because what stands before them is dead: on suspicion the
 * parents are probed at once. When the parent is back its children are probed again, spread over one interval.
 */
export class ParentWatch {
  readonly #deps: ParentWatchDeps;
  /** By subject of the child. */
  readonly #hidden = new Map<string, Hidden>();
  /** By subject of the child: its parents are being probed. */
  readonly #asking = new Map<string, Promise<void>>();
  /** By name of the parent: one probe serves all its children. */
  readonly #probing = new Map<string, Promise<boolean>>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #stopped = false;

  constructor(deps: ParentWatchDeps) {
    this.#deps = deps;
  }

  /** Is the target hidden behind a parent that is dead? */
  hides(subject: string): boolean {
    return this.#hidden.has(subject);
  }

  /** Probes the parents of a target, or waits for the probes that are under way. Afterwards `hides` can be relied on. */
  ask(target: Target): Promise<void> {
    if (target.spec.parent === undefined || this.#hidden.has(target.subject)) return Promise.resolve();
    const known = this.#asking.get(target.subject);
    if (known !== undefined) return known;
    const asking = this.#ask(target).finally(() => this.#asking.delete(target.subject));
    this.#asking.set(target.subject, asking);
    return asking;
  }

  /** A probe of the target itself has ended, and its state is what it is after that. */
  probed(target: Target): void {
    const hidden = this.#hidden.get(target.subject);
    if (hidden === undefined) return;
    hidden.target = target;
    const { phase } = target.health;
    if (phase === 'up') this.#lift(hidden);
    else if (phase === 'down' && hidden.rechecking) {
      // Still dead although its parent is not; unless the parent has gone again meanwhile.
      hidden.rechecking = false;
      void this.#dead(hidden.parent).then((dead) => (dead ? this.#watch(hidden.parent) : this.#lift(hidden)));
    }
  }

  forget(target: Target): void {
    this.#hidden.delete(target.subject);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #ask(target: Target): Promise<void> {
    const parents = ancestorsOf(target.name, (name) => this.#deps.declared(name)?.spec.parent);
    const dead = await Promise.all(parents.map((parent) => this.#dead(parent)));
    const parent = parents.find((_name, index) => dead[index]);
    if (parent === undefined || this.#stopped) return;
    this.#hidden.set(target.subject, { target, parent, rechecking: false });
    this.#watch(parent);
  }

  #dead(parent: string): Promise<boolean> {
    const check = this.#deps.declared(parent)?.spec.check;
    if (check === undefined) return Promise.resolve(false);
    let probing = this.#probing.get(parent);
    if (probing === undefined) {
      probing = this.#deps
        .check(check)
        .then(hiddenBy)
        .finally(() => this.#probing.delete(parent));
      this.#probing.set(parent, probing);
    }
    return probing;
  }

  /** Probes a dead parent at its own interval, for as long as it hides anybody. */
  #watch(parent: string): void {
    if (this.#stopped || this.#timers.has(parent)) return;
    const check = this.#deps.declared(parent)?.spec.check;
    const delayMs = check === undefined ? 0 : (parseDuration(check.interval) ?? 0);
    this.#timers.set(
      parent,
      setTimeout(() => {
        void this.#dead(parent).then((dead) => {
          this.#timers.delete(parent);
          const children = [...this.#hidden.values()].filter((hidden) => hidden.parent === parent);
          if (dead && children.length > 0) this.#watch(parent);
          else if (!dead) for (const child of children) this.#recheck(child);
        });
      }, delayMs),
    );
  }

  #recheck(hidden: Hidden): void {
    hidden.rechecking = true;
    const { target } = hidden;
    this.#deps.probeIn(target, recheckDelayMs(target.subject, target.policy.intervalMs));
  }

  #lift(hidden: Hidden): void {
    if (this.#hidden.get(hidden.target.subject) !== hidden) return;
    this.#hidden.delete(hidden.target.subject);
    this.#deps.onLifted(hidden.target);
  }
}
