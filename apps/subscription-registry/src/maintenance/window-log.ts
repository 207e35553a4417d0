import {
  latestReplySchema,
  MAINTENANCE_EVENTS,
  maintenanceDeclaredSchema,
  type MaintenanceSpec,
  nameSchema,
  readReplySchema,
  RPC,
  type WatchedMaintenance,
} from '@tocsin/contracts';
import { type CloudEvent, fromCloudEvent, type RecordedEvent } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { isDeepStrictEqual } from 'node:util';
import type { Outcome } from '../log/outcome.js';
import type { Declaration } from '../log/registry-log.js';

const TYPES: readonly string[] = Object.values(MAINTENANCE_EVENTS);
const PAGE = 1_000;
const TIMEOUT_MS = 10_000;

const declaredSchema = maintenanceDeclaredSchema.extend({ owner: nameSchema.optional() });

/** How a window stands in the log, for whoever wants to change it. */
export interface StandingWindow {
  /** Version of its subject; 0 where it has never been declared. */
  readonly version: number;
  readonly window?: WatchedMaintenance;
}

/** The same with whose it is; absent where it is nobody's. */
export interface OwnedWindow extends StandingWindow {
  readonly owner?: string;
}

/** Reads maintenance windows from the log itself: they are few, and found by their types and subjects. */
export class WindowLog {
  readonly #broker: Pick<Broker, 'request'>;

  constructor(broker: Pick<Broker, 'request'>) {
    this.#broker = broker;
  }

  /** How one window stands. @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers */
  async one(name: string): Promise<StandingWindow> {
    const subject = windowSubject(name);
    const request = { subjects: [subject], types: [...TYPES] };
    const { events, versions } = await this.#broker.request(RPC.logLatest, request, {
      schema: latestReplySchema,
      timeoutMs: TIMEOUT_MS,
    });
    const [newest] = events.map((event) => fromCloudEvent(event as CloudEvent));
    const window = newest === undefined ? undefined : declaredBy(newest)?.window;
    return { version: versions[subject] ?? 0, ...(window === undefined ? {} : { window }) };
  }

  /** How every window stands that was ever declared, by its name. @throws TocsinError as {@link one} */
  async all(): Promise<Map<string, OwnedWindow>> {
    const windows = new Map<string, OwnedWindow>();
    for (let after = 0; ;) {
      const request = { after, limit: PAGE, types: [...TYPES] };
      const page = await this.#broker.request(RPC.logRead, request, { schema: readReplySchema, timeoutMs: TIMEOUT_MS });
      for (const event of page.events.map((one) => fromCloudEvent(one as CloudEvent))) {
        const name = nameOfWindow(event);
        if (name !== undefined) windows.set(name, afterEvent(windows.get(name), event));
      }
      if (page.next >= page.head) return windows;
      after = page.next;
    }
  }
}

/** Of an event about a window, its name. */
export function nameOfWindow(event: Pick<RecordedEvent, 'type' | 'subject'>): string | undefined {
  return TYPES.includes(event.type) ? event.subject.slice(event.subject.indexOf('/') + 1) : undefined;
}

/** What has to be recorded so that a window stands as `spec` says; nothing if it does already. */
export function planWindow(input: {
  name: string;
  spec: MaintenanceSpec;
  standing: OwnedWindow;
  actor: string;
  owner?: string;
}): { outcome: Outcome; declaration?: Declaration } {
  const { name, spec, standing, actor, owner } = input;
  const { window } = standing;
  const sameOwner = owner === undefined || owner === standing.owner;
  if (window !== undefined && sameOwner && isDeepStrictEqual(window.spec, spec)) return { outcome: 'unchanged' };
  return {
    outcome: window === undefined ? 'created' : 'updated',
    declaration: {
      type: MAINTENANCE_EVENTS.declared,
      subject: windowSubject(name),
      data: { name, actor, ...(owner === undefined ? {} : { owner }), spec },
      expectedVersion: standing.version,
    },
  };
}

/** What has to be recorded so that a window is there no longer. */
export function windowRemoval(name: string, version: number, actor: string): Declaration {
  return {
    type: MAINTENANCE_EVENTS.removed,
    subject: windowSubject(name),
    data: { name, actor },
    expectedVersion: version,
  };
}

/** Subject of a window. */
export function windowSubject(name: string): string {
  return `maintenance/${name}`;
}

function afterEvent(before: OwnedWindow | undefined, event: RecordedEvent): OwnedWindow {
  const declared = declaredBy(event);
  if (declared === undefined) return { version: event.version };
  const owner = declared.owner ?? before?.owner;
  return { version: event.version, window: declared.window, ...(owner === undefined ? {} : { owner }) };
}

function declaredBy(event: RecordedEvent): { window: WatchedMaintenance; owner: string | undefined } | undefined {
  if (event.type !== MAINTENANCE_EVENTS.declared) return undefined;
  const { name, spec, owner } = declaredSchema.parse(event.data);
  return { window: { name, revision: event.version, spec }, owner };
}
