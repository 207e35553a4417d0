import { targetSubject, type HeartbeatCheck, type TargetSpec, type WatchedTarget } from '@tocsin/contracts';
import {
  initialHealth,
  parseDuration,
  type HealthPolicy,
  type HealthState,
  type HeartbeatPolicy,
} from '@tocsin/domain';
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
  /** Where it says by itself that it is alive. */
  readonly heartbeat: HeartbeatPolicy | undefined;
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
    const { check } = watched.spec;
    this.heartbeat = check.type === 'heartbeat' ? heartbeatPolicy(check) : undefined;
    // A heartbeat that is only waited for keeps nobody else from being probed.
    this.peer = this.heartbeat?.activeProbe === false ? this.subject : peerOf(check);
    this.heardMs = nowMs;
    this.health = health?.subject === this.subject ? health : initialHealth(this.subject);
  }
}

function policyOf({ check }: Pick<TargetSpec, 'check'>): HealthPolicy {
  if (check.type === 'heartbeat') return listeningPolicy(check);
  return {
    intervalMs: ms(check.interval),
    timeoutMs: ms(check.timeout),
    fastIntervalMs: Math.min(ms(check.fastInterval), ms(check.interval)),
    failures: check.failures,
    successes: check.successes,
  };
}

/** A second look at a silence, a moment later: what was only on its way has come by then. */
const SECOND_LOOK_MS = 1_000;

/** How a heartbeat is judged: by the active check where it has one, else by three missed in a row and a second look. */
function listeningPolicy(check: HeartbeatCheck): HealthPolicy {
  const intervalMs = ms(check.interval);
  if (check.active !== undefined) {
    const active = policyOf({ check: check.active });
    return { ...active, intervalMs: Math.min(intervalMs, active.intervalMs) };
  }
  return { intervalMs, timeoutMs: 0, fastIntervalMs: Math.min(SECOND_LOOK_MS, intervalMs), failures: 1, successes: 1 };
}

function heartbeatPolicy(check: HeartbeatCheck): HeartbeatPolicy {
  return {
    intervalMs: ms(check.interval),
    graceMs: ms(check.grace),
    activeProbe: check.active !== undefined,
  };
}

/** The schema has checked the spelling. */
function ms(duration: string): number {
  return parseDuration(duration) ?? 0;
}
