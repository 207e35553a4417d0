import { metrics } from '@opentelemetry/api';
import type { ProbeCounts } from '@tocsin/contracts';
import { OVERLAYS, type AnnouncedHealth, type Confidence, type ProbeResult, type VoidedProbe } from '@tocsin/domain';

/** Counts what the observer does, for the metrics and for the noise receipt. */
export class ProbeStatistics {
  readonly #counts: ProbeCounts;
  readonly #meter = metrics.getMeter('tocsin.health-probe');
  readonly #checks = this.#meter.createCounter('tocsin_checks_total', {
    description: 'Checks made, by type, outcome and origin of the outcome',
  });
  readonly #suspicions = this.#meter.createCounter('tocsin_suspicions_total', {
    description: 'Targets that became suspect',
  });
  readonly #refused = this.#meter.createCounter('tocsin_suspicions_refused_total', {
    description: 'Suspicions the other observers did not share',
  });
  readonly #transitions = this.#meter.createCounter('tocsin_transitions_total', {
    description: 'Changes confirmed, by new state and confidence',
  });
  readonly #announced = this.#meter.createCounter('tocsin_announcements_total', {
    description: 'Changes committed to the log, by fact',
  });
  readonly #withheld = this.#meter.createCounter('tocsin_withheld_changes_total', {
    description: 'Changes committed to the log and told to nobody, by what kept them back',
  });
  readonly #heartbeats = this.#meter.createCounter('tocsin_heartbeats_total', {
    description: 'Heartbeats of targets this observer watches, by what they say',
  });
  readonly #late = this.#meter.createCounter('tocsin_late_heartbeats_total', {
    description: 'Heartbeats that came later than they were due, grace included',
  });
  readonly #duration = this.#meter.createHistogram('tocsin_check_duration_seconds', {
    description: 'Time a check took, by type',
    advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60] },
  });
  readonly #lateness = this.#meter.createHistogram('tocsin_check_lateness_seconds', {
    description: 'How much later than planned a check started',
    advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 30] },
  });
  readonly #detection = this.#meter.createHistogram('tocsin_detection_seconds', {
    description: 'From the first failing (passing) probe to the confirmation, by new state',
    advice: { explicitBucketBoundaries: [0.1, 0.5, 1, 2, 3, 5, 8, 13, 21, 60] },
  });

  constructor(observer: string) {
    this.#counts = {
      observer,
      targets: 0,
      checks: 0,
      local: 0,
      voided: 0,
      suspicions: 0,
      refused: 0,
      transitions: 0,
      withheld: 0,
      announced: 0,
    };
    // A series that begins with its first event has no rate at that event.
    this.#suspicions.add(0);
    this.#refused.add(0);
    this.#late.add(0);
    for (const status of ['ok', 'fail']) this.#heartbeats.add(0, { status });
    for (const because of OVERLAYS) this.#withheld.add(0, { because });
    for (const to of ['up', 'degraded', 'down', 'unknown']) {
      for (const confidence of ['quorum', 'single']) this.#transitions.add(0, { to, confidence });
    }
  }

  /** So many targets are watched now. */
  watching(targets: number): void {
    this.#counts.targets = targets;
  }

  /** A check has ended. */
  checked(type: string, result: ProbeResult | VoidedProbe, latenessMs: number): void {
    this.#counts.checks += 1;
    const outcome = result.kind === 'void' ? 'void' : result.outcome;
    const origin = result.kind === 'void' ? 'local' : result.origin;
    if (result.kind === 'void') this.#counts.voided += 1;
    else if (origin === 'local') this.#counts.local += 1;
    this.#checks.add(1, { type, outcome, origin });
    this.#duration.record(result.durationMs / 1_000, { type });
    this.#lateness.record(latenessMs / 1_000);
  }

  /** A heartbeat of an own target has come; `late` where it was due earlier. */
  beat(status: string, late: boolean): void {
    this.#heartbeats.add(1, { status });
    if (late) this.#late.add(1);
  }

  suspected(): void {
    this.#counts.suspicions += 1;
    this.#suspicions.add(1);
  }

  refused(): void {
    this.#counts.refused += 1;
    this.#refused.add(1);
  }

  /** A change was confirmed. */
  confirmed(to: AnnouncedHealth, confidence: Confidence, detectionMs: number): void {
    this.#counts.transitions += 1;
    this.#transitions.add(1, { to, confidence });
    this.#detection.record(detectionMs / 1_000, { to });
  }

  /** A change stands in the log and is told to nobody. */
  withheld(because: readonly string[]): void {
    this.#counts.withheld += 1;
    this.#withheld.add(1, { because: because.join() });
  }

  /** A change stands in the log for everybody who subscribed. */
  announced(fact: string): void {
    this.#counts.announced += 1;
    this.#announced.add(1, { fact });
  }

  /** The counts so far. */
  counts(): ProbeCounts {
    return { ...this.#counts };
  }
}
