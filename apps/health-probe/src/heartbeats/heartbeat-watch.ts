import type { Heartbeat } from '@tocsin/contracts';
import {
  awaitingHeartbeat,
  hearken,
  silentAfterMs,
  type Clock,
  type HeartbeatEffect,
  type HeartbeatInput,
  type HeartbeatState,
  type Instant,
  type ProbeResult,
  type VoidedProbe,
} from '@tocsin/domain';
import type { LossSeen } from '../facts/heartbeat-topic.js';
import type { Probed } from '../schedule/probe-scheduler.js';
import type { Target } from '../targets/target.js';

/** A look goes off in a slot of time, which may begin a little earlier than it is due; just before the end of the wait it would see nothing. */
const LOOK_MARGIN_MS = 150;

type Word = Extract<HeartbeatEffect, { kind: 'word' }>;

export interface HeartbeatWatchDeps {
  clock: Clock;
  /** Since when heartbeats could be heard without interruption, monotonic milliseconds; undefined while they cannot. */
  listeningSinceMs: () => number | undefined;
  /** Makes the active check of a target. */
  probe: (target: Target) => Promise<ProbeResult | VoidedProbe>;
  /** A heartbeat has come; `late` where it was due earlier, grace included. */
  onBeat: (status: Heartbeat['status'], late: boolean) => void;
  /** A heartbeat is a result, like that of a probe. */
  onProbed: (target: Target, probed: Probed) => void;
  /** Whether only the heartbeat is missing. */
  onLoss: (target: Target, seen: Omit<LossSeen, 'overlays'>) => void;
  lookIn: (target: Target, delayMs: number) => void;
  replan: (target: Target) => void;
}

/** Heartbeats of own targets: what they say, and what their absence says. */
export class HeartbeatWatch {
  readonly #deps: HeartbeatWatchDeps;
  readonly #states = new Map<string, HeartbeatState>();

  constructor(deps: HeartbeatWatchDeps) {
    this.#deps = deps;
  }

  /** The silence of a target that is new here counts from now on. */
  taken(target: Target): void {
    if (target.heartbeat === undefined) this.#states.delete(target.name);
    else if (!this.#states.has(target.name)) this.#states.set(target.name, awaitingHeartbeat(this.#nowMs()));
  }

  given({ name }: Target): void {
    this.#states.delete(name);
  }

  /** A heartbeat has come. */
  beat(target: Target, { status, message }: Heartbeat): void {
    const { heartbeat } = target;
    if (heartbeat === undefined) return;
    const nowMs = this.#nowMs();
    const before = this.#states.get(target.name);
    const heard = before !== undefined && before.said !== 'nothing';
    this.#deps.onBeat(status, heard && nowMs - before.heardMs > heartbeat.intervalMs + heartbeat.graceMs);
    const said = { kind: 'beat', nowMs, status, ...(message === undefined ? {} : { message }) } as const;
    for (const effect of this.#hearken(target, said)) {
      if (effect.kind === 'word') this.#say(target, effect);
      else if (effect.kind === 'resumed') this.#loss(target, false, nowMs, 'heartbeats come again');
    }
    const settled = target.health.phase === 'up' && status === 'ok';
    if (settled) this.#deps.lookIn(target, silentAfterMs(heartbeat) + LOOK_MARGIN_MS);
    else this.#deps.replan(target);
  }

  /** What a scheduled look finds; void where there is nothing to say. */
  async look(target: Target): Promise<ProbeResult | VoidedProbe> {
    const nowMs = this.#nowMs();
    const since = this.#deps.listeningSinceMs();
    // That nothing can be heard says nothing of the target, not even that nobody looks at it.
    if (since === undefined) target.heardMs = nowMs;
    const { announced } = target.health;
    const listening = since === undefined ? {} : { listeningSinceMs: since };
    const [effect] = this.#hearken(target, { kind: 'look', nowMs, announced, ...listening });
    if (effect?.kind === 'word') return resultOf(effect, nowMs);
    return effect?.kind === 'probe' ? this.#probe(target) : voided;
  }

  async #probe(target: Target): Promise<ProbeResult | VoidedProbe> {
    const silent = this.#states.get(target.name);
    const result = await this.#deps.probe(target);
    // It has spoken meanwhile: that is its word, whatever the probe saw.
    if (this.#states.get(target.name) !== silent) return voided;
    if (result.kind === 'void' || result.origin === 'local') return result;
    for (const effect of this.#hearken(target, { kind: 'probed', passes: result.outcome !== 'fail' })) {
      if (effect.kind === 'lost') this.#loss(target, true, effect.sinceMs, `no heartbeats, but ${result.detail}`);
    }
    return result;
  }

  #hearken(target: Target, input: HeartbeatInput): readonly HeartbeatEffect[] {
    const state = this.#states.get(target.name);
    if (state === undefined || target.heartbeat === undefined) return [];
    const decision = hearken(state, input, target.heartbeat);
    this.#states.set(target.name, decision.state);
    return decision.effects;
  }

  #say(target: Target, word: Word): void {
    const nowMs = this.#nowMs();
    const at: Instant = { wallMs: this.#deps.clock.now(), monoMs: nowMs };
    this.#deps.onProbed(target, { startedAt: at, at, result: resultOf(word, nowMs), latenessMs: 0 });
  }

  #loss(target: Target, lost: boolean, sinceMonoMs: number, reason: string): void {
    const { clock, onLoss } = this.#deps;
    const [nowMs, monoMs] = [clock.now(), this.#nowMs()];
    const state = this.#states.get(target.name);
    onLoss(target, {
      ...{ lost, reason, nowMs },
      sinceMs: nowMs - (monoMs - sinceMonoMs),
      ...(state === undefined || state.said === 'nothing' ? {} : { lastMs: nowMs - (monoMs - state.heardMs) }),
    });
  }

  #nowMs(): number {
    return this.#deps.clock.monotonicMs();
  }
}

/** Was it only a look that found nothing to say? Then nothing was checked. */
export function saysNothing(result: ProbeResult | VoidedProbe): boolean {
  return result === voided;
}

const voided: VoidedProbe = { kind: 'void', detail: 'heartbeats are waited for', durationMs: 0 };

/** How long it is so already stands as the duration. */
function resultOf({ outcome, sinceMs, detail }: Word, nowMs: number): ProbeResult {
  return {
    kind: 'result',
    outcome,
    origin: 'remote',
    ...(outcome === 'fail' ? { phase: 'assert' } : {}),
    detail,
    durationMs: Math.max(0, nowMs - sinceMs),
    phasesMs: {},
    uncontested: true,
  };
}
