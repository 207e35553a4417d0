import { setTimeout as sleep } from 'node:timers/promises';
import { GROUP_OUTAGES_BUCKET, OBSERVER_EVENTS, type GroupOutage } from '@tocsin/contracts';
import {
  episodeId,
  isTocsinError,
  type Clock,
  type EventToAppend,
  type JsonObject,
  type RecordedEvent,
} from '@tocsin/domain';
import type { Broker, KeyValue } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { HealthLog } from '../report/health-log.js';
import { groupEvent } from './group-event.js';

/** The members of a group wait for its event: they are told by themselves before they wait much longer than this. */
const PATIENCE_MS = 20_000;
const RETRY_MS = 500;
/** Members that the event names: with more of them, or with long names, no receiver would take it. */
const MOST_NAMED = 1_000;

export interface OutageRecordDeps {
  broker: Pick<Broker, 'kv'>;
  clock: Clock;
  logger: Logger;
  log: HealthLog;
  /** Number of a group's members. */
  size: (group: string) => number;
}

/** Brings outages of groups into the log, each once whoever keeps the group, and into the bucket in which they stand while they last. */
export class OutageRecord {
  readonly #deps: OutageRecordDeps;

  constructor(deps: OutageRecordDeps) {
    this.#deps = deps;
  }

  /**
   * A group is out. Where the log says so already, because a keeper died before it could tell the others or its answer was lost, that stands.
   * @throws TocsinError once it cannot be recorded for longer than its members can wait, or `signal` says that it is over
   */
  async began(group: string, members: readonly string[], signal: AbortSignal): Promise<GroupOutage> {
    const { clock, logger } = this.#deps;
    const nowMs = clock.now();
    const subject = `group/${group}`;
    const event = groupEvent({
      ...{ type: OBSERVER_EVENTS.groupOutage, group, episode: episodeId(subject, nowMs), nowMs },
      data: this.#about(group, members),
    });
    const endMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      try {
        const outage = await this.#outageOf(group, event, members);
        await (await this.#bucket()).put(group, outage);
        return outage;
      } catch (error) {
        const again = isTocsinError(error) && (error.retryable || error.code === 'TCN_VERSION_CONFLICT');
        if (!again || signal.aborted || clock.monotonicMs() > endMs) throw error;
        logger.warn({ err: error, group }, 'an outage of a group cannot be recorded yet');
        await sleep(RETRY_MS, undefined, { signal });
      }
    }
  }

  /** It is over. Where another keeper was quicker, that was said already. */
  async ended(outage: GroupOutage, members: readonly string[]): Promise<void> {
    const { clock, log, logger } = this.#deps;
    const { name: group, episode, version } = outage;
    const nowMs = clock.now();
    const downMs = Math.max(0, nowMs - Date.parse(outage.since));
    const event = groupEvent({
      ...{ type: OBSERVER_EVENTS.groupRecovered, group, episode, nowMs },
      data: { ...this.#about(group, members), downMs },
    });
    try {
      await log.append({ events: [event], expect: { [event.subject]: version } });
      logger.info({ event: event.id, group, downMs }, `group ${group} has recovered`);
    } catch (error) {
      if (!isTocsinError(error, 'TCN_VERSION_CONFLICT')) throw error;
    }
    await (await this.#bucket()).delete(group);
  }

  /** The broker may lose an outage with its store: nobody must take that for the end. */
  async keep(outage: GroupOutage): Promise<void> {
    const bucket = await this.#bucket();
    if ((await bucket.get(outage.name)) === undefined) await bucket.put(outage.name, outage);
  }

  async #outageOf(group: string, event: EventToAppend, members: readonly string[]): Promise<GroupOutage> {
    const { log, logger } = this.#deps;
    const { subject } = event;
    const types = [OBSERVER_EVENTS.groupOutage, OBSERVER_EVENTS.groupRecovered];
    const { events, versions } = await log.latestOf(subject, types);
    const newest = events.get(subject);
    if (newest?.type === OBSERVER_EVENTS.groupOutage) return recordedOutage(group, newest, members);
    const [appended] = await log.append({ events: [event], expect: { [subject]: versions[subject] ?? 0 } });
    if (appended === undefined) throw new Error('the recorder answered an append without its event');
    const { position, version } = appended;
    logger.info({ event: event.id, position, group, members: members.length }, `group ${group} is out`);
    return recordedOutage(group, { ...event, position, version, extensions: event.extensions ?? {} }, members);
  }

  #about(group: string, members: readonly string[]): JsonObject {
    return { size: this.#deps.size(group), failing: members.length, members: members.slice(0, MOST_NAMED) };
  }

  #bucket(): Promise<KeyValue> {
    return this.#deps.broker.kv(GROUP_OUTAGES_BUCKET);
  }
}

function recordedOutage(
  group: string,
  { id, position, version, time, extensions }: Omit<RecordedEvent, 'recordedAt'>,
  members: readonly string[],
): GroupOutage {
  return {
    ...{ name: group, revision: position, event: id, version, since: time },
    ...{ episode: String(extensions['episode']), members: [...members] },
  };
}
