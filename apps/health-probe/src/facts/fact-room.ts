import {
  answersGiven,
  answersStand,
  toldOf,
  type AnswerStreak,
  type CertificateSeen,
  type Clock,
  type ProbeResult,
  type Random,
} from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import type { CertificateLook, CertificatePlace } from '@tocsin/probes';
import type { Overlays } from '../overlays/overlays.js';
import type { HealthLog } from '../report/health-log.js';
import type { RecordedState } from '../report/recorded-state.js';
import type { Target } from '../targets/target.js';
import { certificateTopic, type CertificateObserved } from './certificate-topic.js';
import { CertificateWatch } from './certificate-watch.js';
import { dnsTopic, type DnsObserved } from './dns-topic.js';
import { FactLedger, type FactAccount } from './fact-ledger.js';
import { heartbeatTopic, unheardTopic, type LossSeen } from './heartbeat-topic.js';

export interface FactRoomDeps {
  log: HealthLog;
  clock: Clock;
  random: Random;
  logger: Logger;
  look: (target: Target, place: CertificatePlace) => Promise<CertificateLook>;
  overlays: Pick<Overlays, 'over'>;
  /** Resolves when everything that can lie over a target is known. */
  overlaysKnown: Promise<void>;
}

/** What is told of a target beside its state. */
interface Told {
  target: Target;
  certificate?: FactAccount<CertificateObserved>;
  dns?: FactAccount<DnsObserved>;
  heartbeat?: FactAccount<LossSeen>;
  unheard?: FactAccount<{ nowMs: number }>;
  streak?: AnswerStreak;
}

/** Facts about targets that are no states: their certificates, the answers to their names, their heartbeats. */
export class FactRoom {
  readonly #deps: FactRoomDeps;
  readonly #ledger: FactLedger;
  readonly #certificates: CertificateWatch;
  readonly #told = new Map<string, Told>();

  constructor(deps: FactRoomDeps) {
    this.#deps = deps;
    this.#ledger = new FactLedger(deps);
    this.#certificates = new CertificateWatch({
      clock: deps.clock,
      look: deps.look,
      onSeen: (target, seen) => this.#seen(target, seen),
    });
  }

  /** Watches `target` from now on, or under a new declaration. */
  taken(target: Target): void {
    this.given(target);
    const { check } = target.spec;
    const place = this.#certificates.add(target);
    const told: Told = { target };
    if (place !== undefined) told.certificate = this.#ledger.open(certificateTopic(target, place));
    if (check.type === 'dns') told.dns = this.#ledger.open(dnsTopic(target, check));
    if (check.type === 'heartbeat') {
      told.heartbeat = this.#ledger.open(heartbeatTopic(target));
      told.unheard = this.#ledger.open(unheardTopic(target));
    }
    this.#told.set(target.name, told);
  }

  given({ name }: Target): void {
    this.#certificates.remove(name);
    const told = this.#told.get(name);
    for (const account of [told?.certificate, told?.dns, told?.heartbeat, told?.unheard]) account?.close();
    this.#told.delete(name);
  }

  /** A probe of the target has ended. */
  probed(target: Target, result: ProbeResult): void {
    this.#certificates.probed(target, result);
    const told = this.#told.get(target.name);
    const { check } = target.spec;
    if (told?.dns === undefined || check.type !== 'dns' || !check.announceChanges) return;
    if (result.dns === undefined || result.dns.rcode !== 'NOERROR' || result.dns.answers.length === 0) return;
    told.streak = answersGiven(told.streak, result.dns.answers);
    if (!answersStand(told.streak)) return;
    const { answers, rcode } = result.dns;
    told.dns.observe({ answers, rcode, timeMs: this.#deps.clock.now(), reason: result.detail });
  }

  /** This is what the log holds of the target now. */
  settled(target: Target, recorded: RecordedState): void {
    const account = this.#told.get(target.name)?.dns;
    const { announced, episode, sinceMs } = toldOf(recorded);
    if (account === undefined || announced === 'pending' || announced === 'unknown') return;
    const { newest } = recorded;
    account.observe({
      failing: announced === 'down',
      ...(episode === undefined ? {} : { episode }),
      timeMs: sinceMs ?? this.#deps.clock.now(),
      reason: newest?.evidence.at(-1)?.detail ?? (announced === 'down' ? 'the check fails' : 'the check passes'),
    });
  }

  /** Whether only the heartbeat of a target is missing. */
  heartbeat(target: Target, seen: Omit<LossSeen, 'overlays'>): void {
    const { overlays, overlaysKnown } = this.#deps;
    void overlaysKnown.then(() => {
      this.#told.get(target.name)?.heartbeat?.observe({ ...seen, overlays: overlays.over(target) });
    });
  }

  /** A target that nobody has ever heard of should have been by now. */
  unheard(target: Target): void {
    this.#told.get(target.name)?.unheard?.observe({ nowMs: this.#deps.clock.now() });
  }

  async stop(): Promise<void> {
    this.#certificates.stop();
    await this.#ledger.stop();
  }

  #seen(target: Target, seen: CertificateSeen): void {
    this.#told.get(target.name)?.certificate?.observe({ seen, nowMs: this.#deps.clock.now() });
  }
}
