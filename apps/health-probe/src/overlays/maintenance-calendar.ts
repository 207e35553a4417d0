import { maintenanceSpans, type WatchedMaintenance } from '@tocsin/contracts';
import { inMaintenance, nextMaintenanceChangeMs, type Clock, type MaintenanceWindow } from '@tocsin/domain';

/** Rules are expanded so far ahead, and again well before that is over. */
const HORIZON_MS = 48 * 3_600_000;
/** Longest sleep: timers cannot wait longer than 24 days, and a clock that was set should show soon. */
const MAX_SLEEP_MS = 60_000;

export interface MaintenanceCalendarDeps {
  clock: Clock;
  /** A window has begun, ended, or was declared anew. */
  onChange: () => void;
}

type NamedWindow = MaintenanceWindow & { name: string };

/** Knows which targets are in maintenance. */
export class MaintenanceCalendar {
  readonly #deps: MaintenanceCalendarDeps;
  readonly #declared = new Map<string, WatchedMaintenance>();
  #windows: readonly NamedWindow[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(deps: MaintenanceCalendarDeps) {
    this.#deps = deps;
  }

  declare(window: WatchedMaintenance): void {
    this.#declared.set(window.name, window);
    this.#turn();
  }

  withdraw(name: string): void {
    this.#declared.delete(name);
    this.#turn();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Is a target with these labels in maintenance now? */
  covers(labels: Readonly<Record<string, string>>): boolean {
    return inMaintenance(this.#windows, labels, this.#deps.clock.now());
  }

  /** The window that a target with these labels is in; of several the one that ends last. */
  windowOver(labels: Readonly<Record<string, string>>): NamedWindow | undefined {
    const nowMs = this.#deps.clock.now();
    let last: NamedWindow | undefined;
    for (const window of this.#windows) {
      if (inMaintenance([window], labels, nowMs) && window.endMs > (last?.endMs ?? 0)) last = window;
    }
    return last;
  }

  #turn(): void {
    const nowMs = this.#deps.clock.now();
    this.#windows = [...this.#declared.values()].flatMap(({ name, spec }) =>
      maintenanceSpans(spec, nowMs, nowMs + HORIZON_MS).map((span) => ({ ...span, name, selector: spec.selector })),
    );
    this.#deps.onChange();
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#declared.size === 0) return;
    const nowMs = this.#deps.clock.now();
    const nextMs = nextMaintenanceChangeMs(this.#windows, nowMs) ?? Number.POSITIVE_INFINITY;
    const sleepMs = Math.min(MAX_SLEEP_MS, Math.max(0, nextMs - nowMs) + 1);
    this.#timer = setTimeout(() => this.#turn(), sleepMs);
  }
}
