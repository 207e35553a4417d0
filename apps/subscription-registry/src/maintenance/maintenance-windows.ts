import {
  MAINTENANCE_BUCKET,
  maintenanceSpans,
  maintenanceSpecSchema,
  nameSchema,
  parseOrThrow,
  watchedMaintenanceSchema,
  type MaintenanceView,
  type WatchedMaintenance,
} from '@tocsin/contracts';
import { isTocsinError, TocsinError, type Clock, type RecordedEvent } from '@tocsin/domain';
import type { Broker, KeyValue, Watch } from '@tocsin/jetstream';
import type { Scope } from '@tocsin/platform';
import { inScope, requireFreeName, requireInScope } from '../access/scope.js';
import type { Outcome } from '../log/outcome.js';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import type { ProjectionListener } from '../projection/projector.js';
import type { ReadRequest } from '../request/call.js';
import { splitName } from '../request/name.js';
import { nameOfWindow, planWindow, WindowLog, windowRemoval, windowSubject } from './window-log.js';

/** Windows brought to the observers at a time. */
const AT_ONCE = 16;
const RETRY_MS = 2_000;
/** How far ahead the next span of a window is looked for. */
const HORIZON_MS = 400 * 86_400_000;

export interface MaintenanceWindowsDeps {
  broker: Broker;
  log: Pick<RegistryLog, 'append' | 'catchUp'>;
  clock: Clock;
  onError: (error: unknown) => void;
}

interface WindowRequest {
  readonly name: string;
  readonly actor: string;
  /** Labels of all that the caller may see and change; absent: everything. */
  readonly scope?: Scope;
  readonly precondition?: Precondition;
  /** Check everything, say what would be, record nothing. */
  readonly dryRun?: boolean;
}

/**
 * Maintenance windows: recorded in the log, and brought to the observers in a bucket. They are few, so there is no table: one window is
 * read from the log by its subject, all of them from the bucket; and a bucket that was lost is filled from the log.
 */
export class MaintenanceWindows implements ProjectionListener {
  readonly #windows: WindowLog;
  readonly #deps: MaintenanceWindowsDeps;
  readonly #mirror = new Map<string, WatchedMaintenance>();
  #bucket: Promise<KeyValue> | undefined;
  #watch: Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: MaintenanceWindowsDeps) {
    this.#deps = deps;
    this.#windows = new WindowLog(deps.broker);
  }

  /** Begins in the background, and tries for as long as it takes. */
  start(): void {
    this.#working = this.#begin();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#working;
    await this.#watch?.close();
  }

  /** Brings what another replica has recorded too: it may have ended before it could. */
  projected(events: readonly RecordedEvent[]): void {
    const names = [...new Set(events.flatMap((event) => nameOfWindow(event) ?? []))];
    if (names.length === 0) return;
    this.#working = Promise.all([this.#working, this.bring(names)]).then(
      () => undefined,
      (error: unknown) => {
        this.#deps.onError(error);
        this.#refillSoon();
      },
    );
  }

  caughtUp(): void {
    // The start and every loss of the bucket bring everything.
  }

  /** Makes the observers' bucket say of windows what the log says. @throws what the broker throws */
  async bring(names: readonly string[]): Promise<void> {
    for (let from = 0; from < names.length && !this.#stopped; from += AT_ONCE) {
      await Promise.all(names.slice(from, from + AT_ONCE).map((name) => this.#bring(name)));
    }
  }

  /** All windows by name, as far as they are in the scope. */
  all(scope?: Scope): MaintenanceView[] {
    return [...this.#mirror.values()]
      .filter(({ spec }) => inScope(spec.selector, scope))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map((window) => this.#view(window));
  }

  /** @throws TocsinError `TCN_NOT_FOUND`; `TCN_UNAVAILABLE` where no recorder answers */
  async one({ name, scope }: ReadRequest): Promise<MaintenanceView> {
    const { window } = await this.#windows.one(parseOrThrow(nameSchema, name, 'name'));
    if (window === undefined || !inScope(window.spec.selector, scope)) throw notFound(name);
    return this.#view(window);
  }

  /**
   * Creates a window or replaces it.
   * @throws TocsinError `TCN_INVALID` with faults that point into the body; those of `requireInScope` and `requireFreeName`;
   *   `TCN_PRECONDITION_FAILED`; those of `RegistryLog.append`
   */
  async declare(request: WindowRequest & { body: unknown }): Promise<{ outcome: Outcome; window: MaintenanceView }> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const spec = parseOrThrow(maintenanceSpecSchema, splitName(name, request.body), 'body');
    return onCurrentState(this.#deps.log, async () => {
      const standing = await this.#windows.one(name);
      const subject = windowSubject(name);
      requireFreeName(subject, request.scope, standing.window?.spec.selector);
      checkPrecondition(request.precondition ?? {}, standing.window?.revision, subject);
      requireInScope({ subject, scope: request.scope, wanted: spec.selector, pointer: '/selector' });
      const { outcome, declaration } = planWindow({ name, spec, standing, actor: request.actor });
      if (request.dryRun === true) {
        return { outcome, window: this.#view({ name, revision: standing.window?.revision ?? 0, spec }) };
      }
      const revision = declaration === undefined ? (standing.window?.revision ?? 0) : standing.version + 1;
      if (declaration !== undefined) {
        await this.#deps.log.append([declaration]);
        await this.#bring(name);
      }
      return { outcome, window: this.#view({ name, revision, spec }) };
    });
  }

  /** @throws TocsinError `TCN_NOT_FOUND`, `TCN_PRECONDITION_FAILED`; those of `RegistryLog.append` */
  async remove(request: WindowRequest): Promise<void> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    await onCurrentState(this.#deps.log, async () => {
      const { version, window } = await this.#windows.one(name);
      if (window === undefined || !inScope(window.spec.selector, request.scope)) throw notFound(name);
      checkPrecondition(request.precondition ?? {}, window.revision, windowSubject(name));
      if (request.dryRun === true) return;
      await this.#deps.log.append([windowRemoval(name, version, request.actor)]);
      await this.#bring(name);
    });
  }

  async #begin(): Promise<void> {
    try {
      const bucket = await this.#open();
      this.#watch ??= bucket.watch({
        onPut: ({ key, value }) => this.#heard(key, value),
        onDelete: (key) => void this.#mirror.delete(key),
        onReset: () => this.#refillSoon(),
        onError: this.#deps.onError,
      });
      await this.#refill();
    } catch (error) {
      this.#deps.onError(error);
      this.#refillSoon();
    }
  }

  #refillSoon(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.start(), RETRY_MS);
  }

  /** Brings every window of the log into the bucket, and takes out of it what the log does not have. */
  async #refill(): Promise<void> {
    const names = new Set(await (await this.#open()).keys());
    for (const name of (await this.#windows.all()).keys()) names.add(name);
    await this.bring([...names]);
  }

  /** Makes the bucket say of a window what the log says, also while others write about the same one. */
  async #bring(name: string): Promise<void> {
    const bucket = await this.#open();
    for (;;) {
      const { version, window } = await this.#windows.one(name);
      const entry = await bucket.get(name);
      const there = watchedMaintenanceSchema.safeParse(entry?.value).data;
      try {
        if (window === undefined && entry !== undefined) await bucket.delete(name, { revision: entry.revision });
        if (window !== undefined && there?.revision !== window.revision) {
          await bucket.put(name, window, { revision: entry?.revision ?? 0 });
        }
        if ((await this.#windows.one(name)).version === version) return;
      } catch (error) {
        if (!isTocsinError(error, 'TCN_PRECONDITION_FAILED')) throw error;
      }
    }
  }

  #heard(key: string, value: unknown): void {
    const window = watchedMaintenanceSchema.safeParse(value).data;
    if (window !== undefined) this.#mirror.set(key, window);
  }

  #view({ name, revision, spec }: WatchedMaintenance): MaintenanceView {
    const nowMs = this.#deps.clock.now();
    const [next] = maintenanceSpans(spec, nowMs, nowMs + HORIZON_MS);
    const iso = (ms: number) => new Date(ms).toISOString();
    return {
      ...{ name, spec, revision },
      active: next !== undefined && next.startMs <= nowMs,
      ...(next === undefined ? {} : { next: { start: iso(next.startMs), end: iso(next.endMs) } }),
    };
  }

  #open(): Promise<KeyValue> {
    this.#bucket ??= this.#deps.broker.kv(MAINTENANCE_BUCKET).catch((error: unknown) => {
      this.#bucket = undefined;
      throw error;
    });
    return this.#bucket;
  }
}

function notFound(name: string): TocsinError {
  return new TocsinError('TCN_NOT_FOUND', `there is no maintenance window "${name}"`);
}
