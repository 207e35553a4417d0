import {
  latestReplySchema,
  MAINTENANCE_BUCKET,
  MAINTENANCE_EVENTS,
  maintenanceDeclaredSchema,
  maintenanceSpans,
  maintenanceSpecSchema,
  nameSchema,
  parseOrThrow,
  readReplySchema,
  RPC,
  watchedMaintenanceSchema,
  type MaintenanceView,
  type WatchedMaintenance,
} from '@tocsin/contracts';
import {
  fromCloudEvent,
  isTocsinError,
  TocsinError,
  type Clock,
  type CloudEvent,
  type RecordedEvent,
} from '@tocsin/domain';
import type { Broker, KeyValue, Watch } from '@tocsin/jetstream';
import { isDeepStrictEqual } from 'node:util';
import type { Outcome } from '../log/outcome.js';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { splitName } from '../request/name.js';

const TYPES = Object.values(MAINTENANCE_EVENTS);
const PAGE = 1_000;
const TIMEOUT_MS = 10_000;
const RETRY_MS = 2_000;
/** How far ahead the next span of a window is looked for. */
const HORIZON_MS = 400 * 86_400_000;

export interface MaintenanceWindowsDeps {
  broker: Broker;
  log: Pick<RegistryLog, 'append' | 'catchUp'>;
  clock: Clock;
  onError: (error: unknown) => void;
}

/** Where a window stands in the log. */
interface Standing {
  /** Version of its subject; 0 where it has never been declared. */
  version: number;
  window: WatchedMaintenance | undefined;
}

interface WriteRequest {
  readonly name: string;
  readonly actor: string;
  readonly precondition?: Precondition;
}

/**
 * Maintenance windows: recorded in the log, and brought to the observers in a bucket. They are few, so there is no table: one window is
 * read from the log by its subject, all of them from the bucket; and a bucket that was lost is filled from the log.
 */
export class MaintenanceWindows {
  readonly #deps: MaintenanceWindowsDeps;
  readonly #mirror = new Map<string, WatchedMaintenance>();
  #bucket: Promise<KeyValue> | undefined;
  #watch: Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: MaintenanceWindowsDeps) {
    this.#deps = deps;
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

  /** All windows by name. */
  all(): MaintenanceView[] {
    return [...this.#mirror.values()]
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map((window) => this.#view(window));
  }

  /** @throws TocsinError `TCN_NOT_FOUND`; `TCN_UNAVAILABLE` where no recorder answers */
  async one(name: string): Promise<MaintenanceView> {
    const { window } = await this.#standing(parseOrThrow(nameSchema, name, 'name'));
    if (window === undefined) throw notFound(name);
    return this.#view(window);
  }

  /**
   * Creates a window or replaces it.
   * @throws TocsinError `TCN_INVALID` with faults that point into the body; `TCN_PRECONDITION_FAILED`; those of `RegistryLog.append`
   */
  async declare(request: WriteRequest & { body: unknown }): Promise<{ outcome: Outcome; window: MaintenanceView }> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const spec = parseOrThrow(maintenanceSpecSchema, splitName(name, request.body), 'body');
    return onCurrentState(this.#deps.log, async () => {
      const { version, window } = await this.#standing(name);
      checkPrecondition(request.precondition ?? {}, window?.revision, subjectOf(name));
      if (window !== undefined && isDeepStrictEqual(window.spec, spec)) {
        return { outcome: 'unchanged', window: this.#view(window) };
      }
      const data = { name, actor: request.actor, spec };
      await this.#deps.log.append([
        { type: MAINTENANCE_EVENTS.declared, subject: subjectOf(name), data, expectedVersion: version },
      ]);
      await this.#bring(name);
      const declared = { name, revision: version + 1, spec };
      return { outcome: window === undefined ? 'created' : 'updated', window: this.#view(declared) };
    });
  }

  /** @throws TocsinError `TCN_NOT_FOUND`, `TCN_PRECONDITION_FAILED`; those of `RegistryLog.append` */
  async remove(request: WriteRequest): Promise<void> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    await onCurrentState(this.#deps.log, async () => {
      const { version, window } = await this.#standing(name);
      if (window === undefined) throw notFound(name);
      checkPrecondition(request.precondition ?? {}, window.revision, subjectOf(name));
      const data = { name, actor: request.actor };
      await this.#deps.log.append([
        { type: MAINTENANCE_EVENTS.removed, subject: subjectOf(name), data, expectedVersion: version },
      ]);
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
    for (let after = 0; ;) {
      const request = { after, limit: PAGE, types: TYPES };
      const page = await this.#deps.broker.request(RPC.logRead, request, {
        schema: readReplySchema,
        timeoutMs: TIMEOUT_MS,
      });
      for (const event of page.events) names.add(nameIn(fromCloudEvent(event as CloudEvent).subject));
      if (page.next >= page.head || this.#stopped) break;
      after = page.next;
    }
    for (const name of names) if (!this.#stopped) await this.#bring(name);
  }

  /** Makes the bucket say of a window what the log says, also while others write about the same one. */
  async #bring(name: string): Promise<void> {
    const bucket = await this.#open();
    for (;;) {
      const { version, window } = await this.#standing(name);
      const entry = await bucket.get(name);
      const there = watchedMaintenanceSchema.safeParse(entry?.value).data;
      try {
        if (window === undefined && entry !== undefined) await bucket.delete(name, { revision: entry.revision });
        if (window !== undefined && there?.revision !== window.revision) {
          await bucket.put(name, window, { revision: entry?.revision ?? 0 });
        }
        if ((await this.#standing(name)).version === version) return;
      } catch (error) {
        if (!isTocsinError(error, 'TCN_PRECONDITION_FAILED')) throw error;
      }
    }
  }

  async #standing(name: string): Promise<Standing> {
    const subject = subjectOf(name);
    const request = { subjects: [subject], types: TYPES };
    const { events, versions } = await this.#deps.broker.request(RPC.logLatest, request, {
      schema: latestReplySchema,
      timeoutMs: TIMEOUT_MS,
    });
    const [newest] = events.map((event) => fromCloudEvent(event as CloudEvent));
    return { version: versions[subject] ?? 0, window: newest === undefined ? undefined : declaredBy(newest) };
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

function declaredBy(event: RecordedEvent): WatchedMaintenance | undefined {
  if (event.type !== MAINTENANCE_EVENTS.declared) return undefined;
  const { name, spec } = maintenanceDeclaredSchema.parse(event.data);
  return { name, revision: event.version, spec };
}

function subjectOf(name: string): string {
  return `maintenance/${name}`;
}

function nameIn(subject: string): string {
  return subject.slice(subject.indexOf('/') + 1);
}

function notFound(name: string): TocsinError {
  return new TocsinError('TCN_NOT_FOUND', `there is no maintenance window "${name}"`);
}
