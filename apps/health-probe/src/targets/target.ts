import { targetSubject, type TargetSpec, type WatchedTarget } from '@tocsin/contracts';
import { initialHealth, parseDuration, type HealthPolicy, type HealthState } from '@tocsin/domain';
import { peerOf } from '@tocsin/probes';

/** Label by which a target names the site whose observers should watch it. */
export const SITE_LABEL = 'site';

/** What may fail as one: the targets of a site or, where none is named, the children of a parent. `site=fra`, `parent=gw-1`. */
export function groupOf({ labels, parent }: Pick<TargetSpec, 'labels' | 'parent'>): string | undefined {
  const site = labels[SITE_LABEL];
  if (site !== undefined) return `${SITE_LABEL}=${site}`;
  return parent === undefined ? undefined : `parent=${parent}`;
}

/** A target under watch: what is declared of it, and where the observer stands with it. */
export class Target {
  readonly name: string;
  readonly subject: string;
  readonly spec: TargetSpec;
  readonly policy: HealthPolicy;
  readonly peer: string;
  health: HealthState;
  /** Monotonic time of the last result that said something of the target; until the first one, of the beginning of the watch. */
  heardMs: number;

  /**
   * @param nowMs monotonic time
   * @param health goes on from here, where the target was watched under an earlier declaration
   */
  constructor(watched: WatchedTarget, nowMs: number, health?: HealthState) {
    this.name = watched.name;
    this.subject = targetSubject(watched.spec.kind, watched.name);
    this.spec = watched.spec;
    this.policy = policyOf(watched.spec);
    this.peer = peerOf(watched.spec.check);
    this.heardMs = nowMs;
    this.health = health?.subject === this.subject ? health : initialHealth(this.subject);
  }
}

function policyOf({ check }: TargetSpec): HealthPolicy {
  return {
    intervalMs: ms(check.interval),
    timeoutMs: ms(check.timeout),
    fastIntervalMs: Math.min(ms(check.fastInterval), ms(check.interval)),
    failures: check.failures,
    successes: check.successes,
  };
}

/** The schema has checked the spelling. */
function ms(duration: string): number {
  return parseDuration(duration) ?? 0;
}
