import { targetSubject, type WatchedTarget } from '@tocsin/contracts';
import { ownerOf, type Clock, type ObserverSeat } from '@tocsin/domain';
import { groupOf, SITE_LABEL, Target } from './target.js';

export interface WatchedTargetsDeps {
  self: string;
  clock: Clock;
  /** Observers that are able now; undefined until they are known. */
  seats: () => readonly ObserverSeat[] | undefined;
  /** This observer watches the target from now on, or under a new declaration. */
  onTaken: (target: Target) => void;
  /** It does not any more. */
  onGiven: (target: Target) => void;
}

/** What is declared, and the share of it that is this observer's. */
export class WatchedTargets {
  readonly #deps: WatchedTargetsDeps;
  readonly #declared = new Map<string, WatchedTarget>();
  readonly #own = new Map<string, Target>();
  readonly #groups = new Map<string, Map<string, WatchedTarget>>();

  constructor(deps: WatchedTargetsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#own.size;
  }

  /** Own targets that are up, or were until they turned suspect. */
  get up(): number {
    let up = 0;
    for (const { health } of this.#own.values())
      if (health.announced === 'up' || health.announced === 'degraded') up += 1;
    return up;
  }

  all(): Iterable<Target> {
    return this.#own.values();
  }

  /** An own target. */
  own(name: string): Target | undefined {
    return this.#own.get(name);
  }

  /** Who watches a declared target; undefined where nobody is able. */
  ownerOf(name: string): string | undefined {
    const watched = this.#declared.get(name);
    return watched && this.#ownerOf(watched);
  }

  /** What is declared under a name, whoever watches it. */
  declared(name: string): WatchedTarget | undefined {
    return this.#declared.get(name);
  }

  /** The targets declared as members of a group, whoever watches them. */
  members(group: string): readonly WatchedTarget[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  /** Is this still the declaration that is watched here? */
  isCurrent(target: Target): boolean {
    return this.#own.get(target.name) === target;
  }

  declare(watched: WatchedTarget): void {
    this.#ungroup(watched.name);
    this.#declared.set(watched.name, watched);
    this.#group(watched);
    const known = this.#own.get(watched.name);
    if (!this.#isOwn(watched)) {
      this.#give(watched.name);
      return;
    }
    const target = new Target(watched, this.#deps.clock.monotonicMs(), known?.health);
    if (known !== undefined && known.subject !== target.subject) this.#give(known.name);
    this.#own.set(target.name, target);
    this.#deps.onTaken(target);
  }

  withdraw(name: string): void {
    this.#ungroup(name);
    this.#declared.delete(name);
    this.#give(name);
  }

  /** The observers have changed: takes and gives what has moved. */
  reassign(): void {
    for (const watched of this.#declared.values()) {
      const own = this.#isOwn(watched);
      if (own && !this.#own.has(watched.name)) this.declare(watched);
      else if (!own) this.#give(watched.name);
    }
  }

  #group(watched: WatchedTarget): void {
    const group = groupOf(watched.spec);
    if (group === undefined) return;
    const members = this.#groups.get(group) ?? new Map<string, WatchedTarget>();
    this.#groups.set(group, members.set(watched.name, watched));
  }

  #ungroup(name: string): void {
    const watched = this.#declared.get(name);
    const group = watched === undefined ? undefined : groupOf(watched.spec);
    if (group === undefined) return;
    const members = this.#groups.get(group);
    members?.delete(name);
    if (members?.size === 0) this.#groups.delete(group);
  }

  #isOwn(watched: WatchedTarget): boolean {
    if (this.#deps.seats() === undefined) return false;
    const owner = this.#ownerOf(watched);
    // Where nobody is able, everybody keeps what he has: it is watched again the sooner.
    return owner === undefined ? this.#own.has(watched.name) : owner === this.#deps.self;
  }

  #ownerOf({ name, spec }: WatchedTarget): string | undefined {
    return ownerOf(targetSubject(spec.kind, name), spec.labels[SITE_LABEL], this.#deps.seats() ?? []);
  }

  #give(name: string): void {
    const target = this.#own.get(name);
    if (target === undefined) return;
    this.#own.delete(name);
    this.#deps.onGiven(target);
  }
}
