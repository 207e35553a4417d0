import {
  certificateLookDelayMs,
  firstProbeDelayMs,
  type CertificateSeen,
  type Clock,
  type ProbeResult,
} from '@tocsin/domain';
import { certificatePlaceOf, type CertificateLook, type CertificatePlace } from '@tocsin/probes';
import type { Target } from '../targets/target.js';

/** Looks are spread like probes, and come a little after the first one. */
const AFTER_FIRST_PROBE_MS = 250;

export interface CertificateWatchDeps {
  clock: Clock;
  look: (target: Target, place: CertificatePlace) => Promise<CertificateLook>;
  onSeen: (target: Target, seen: CertificateSeen) => void;
}

interface Plan {
  target: Target;
  place: CertificatePlace;
  timer: NodeJS.Timeout | undefined;
  /** The check itself is in trouble with TLS. */
  troubled: boolean;
  looking: boolean;
}

/**
 * Looks at the certificates that own targets show: a check of its own, at a cadence of its own, whatever the target's health check does. When
 * that gets into trouble with TLS, or out of it, the certificate is looked at once more.
 */
export class CertificateWatch {
  readonly #deps: CertificateWatchDeps;
  readonly #plans = new Map<string, Plan>();

  constructor(deps: CertificateWatchDeps) {
    this.#deps = deps;
  }

  /** @returns where the target shows a certificate, if it does */
  add(target: Target): CertificatePlace | undefined {
    this.remove(target.name);
    const place = certificatePlaceOf(target.spec.check);
    if (place === undefined) return undefined;
    const plan: Plan = { target, place, timer: undefined, troubled: false, looking: false };
    this.#plans.set(target.name, plan);
    this.#arm(plan, firstProbeDelayMs(target.subject, target.policy) + AFTER_FIRST_PROBE_MS);
    return place;
  }

  remove(name: string): void {
    clearTimeout(this.#plans.get(name)?.timer);
    this.#plans.delete(name);
  }

  /** The health check of the target has ended. */
  probed(target: Target, result: ProbeResult): void {
    const plan = this.#plans.get(target.name);
    if (plan === undefined || result.origin === 'local') return;
    const troubled = result.phase === 'tls' || (target.spec.check.type === 'tls' && result.outcome !== 'pass');
    if (troubled === plan.troubled) return;
    plan.troubled = troubled;
    if (!plan.looking) this.#arm(plan, 0);
  }

  stop(): void {
    for (const name of [...this.#plans.keys()]) this.remove(name);
  }

  #arm(plan: Plan, delayMs: number): void {
    clearTimeout(plan.timer);
    plan.timer = setTimeout(() => void this.#look(plan), delayMs);
  }

  async #look(plan: Plan): Promise<void> {
    const current = () => this.#plans.get(plan.target.name) === plan;
    const { clock, onSeen } = this.#deps;
    const { troubled } = plan;
    plan.looking = true;
    const found = await this.#deps.look(plan.target, plan.place);
    plan.looking = false;
    if (!current()) return;
    const seen = found.kind === 'seen' ? found.certificate : undefined;
    if (seen !== undefined) onSeen(plan.target, seen);
    // What has changed while it was looked at is looked at again.
    this.#arm(plan, plan.troubled === troubled ? certificateLookDelayMs(seen, clock.now()) : 0);
  }
}
