import {
  GROUP_OUTAGES_BUCKET,
  OBSERVER_EVENTS,
  PROBE_RPC,
  stormRequestSchema,
  type GroupOutage,
  type StormReply,
  type StormRequest,
  type WatchedTarget,
} from '@tocsin/contracts';
import {
  COLLECT_MS,
  episodeId,
  isTocsinError,
  NO_STORM,
  weather,
  type Clock,
  type RecordedEvent,
  type StormDecision,
  type StormInput,
  type StormState,
} from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { HealthLog } from '../report/health-log.js';
import { groupEvent, isDown } from './group-event.js';
import { subjectsOf } from './group-storms.js';

/** How often the log is asked whether the members of a group that is out are back. */
const PERIOD_MS = 2_000;
/** A whole site that dies asks at once, and each waits while the keeper collects. */
const AT_ONCE = 10_000;
/** Subjects in one request: as many as a reply can hold events for. */
const BATCH = 250;

export interface StormKeeperDeps {
  observer: string;
  broker: Broker;
  clock: Clock;
  logger: Logger;
  log: HealthLog;
  members: (group: string) => readonly WatchedTarget[];
  /** Group outages that last, by the bucket. */
  outages: () => readonly GroupOutage[];
  keeperOf: (group: string) => string | undefined;
}

interface Group {
  readonly name: string;
  state: StormState;
  /** Who waits for a word on a member. */
  waiting: Map<string, (reply: StormReply) => void>;
  timer: NodeJS.Timeout | undefined;
  /** The collected are being judged; who is reported meanwhile waits for the verdict. */
  deciding: Promise<void> | undefined;
  outage: GroupOutage | undefined;
}

/**
 * Decides for the groups it keeps what is one outage of many. Which members are down is read from the log at the moment of the
 * decision, so that a keeper that comes new to a group decides as its predecessor would have.
 */
export class StormKeeper {
  readonly #deps: StormKeeperDeps;
  readonly #groups = new Map<string, Group>();
  #serving: Serving | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: StormKeeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#serving = this.#deps.broker.serve(`${PROBE_RPC.stormPrefix}.${this.#deps.observer}`, {
      schema: stormRequestSchema,
      handle: (request) => this.#judge(request),
      concurrency: AT_ONCE,
      maxWaiting: AT_ONCE,
    });
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    }, PERIOD_MS);
  }

  /** Who still waits is told that the member stands alone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const group of this.#groups.values()) {
      clearTimeout(group.timer);
      for (const answer of group.waiting.values()) answer({});
    }
    await this.#serving?.close();
    await this.#looking;
  }

  async #judge({ group: name, subject }: StormRequest): Promise<StormReply> {
    const group = this.#group(name);
    while (group.deciding !== undefined) await group.deciding;
    const size = this.#size(name);
    if (group.state.outage !== undefined) {
      this.#do(group, weather(group.state, this.#went('down', subject), size));
      return causeIn(group);
    }
    // Whoever is reported down again has been up meanwhile, or is asked about twice.
    this.#answer(group, subject, {});
    group.state = weather(group.state, this.#went('up', subject), size).state;
    return new Promise((answer) => {
      group.waiting.set(subject, answer);
      // Its time is not over before its timer has fired.
      const lastMs = (group.state.collecting?.untilMs ?? Number.POSITIVE_INFINITY) - 1;
      const input = this.#went('down', subject);
      this.#do(group, weather(group.state, { ...input, nowMs: Math.min(input.nowMs, lastMs) }, size));
    });
  }

  #went(kind: 'down' | 'up', subject: string): StormInput {
    return { kind, subject, nowMs: this.#deps.clock.monotonicMs() };
  }

  #do(group: Group, { state, effects }: StormDecision): void {
    group.state = state;
    for (const effect of effects) {
      if (effect.kind === 'announce') this.#answer(group, effect.subject, {});
      else if (effect.kind === 'absorb') this.#answer(group, effect.subject, causeIn(group));
    }
    if (state.collecting !== undefined && group.timer === undefined && !this.#stopped) {
      group.timer = setTimeout(() => {
        group.timer = undefined;
        group.deciding = this.#collected(group).finally(() => (group.deciding = undefined));
      }, COLLECT_MS);
    }
  }

  #answer(group: Group, subject: string, reply: StormReply): void {
    group.waiting.get(subject)?.(reply);
    group.waiting.delete(subject);
  }

  /** The time to collect is over. */
  async #collected(group: Group): Promise<void> {
    const { clock, logger } = this.#deps;
    try {
      const newest = await this.#newest(group.name);
      const down = [...newest].filter(([, event]) => isDown(event)).map(([subject]) => subject);
      const collected = group.state.collecting?.members ?? [];
      group.state = { ...group.state, failing: [...new Set([...down, ...collected])] };
    } catch (error) {
      logger.warn(
        { err: error, group: group.name },
        'the members of a group cannot be read; what was reported decides',
      );
    }
    const nowMs = Math.max(clock.monotonicMs(), group.state.collecting?.untilMs ?? 0);
    const decision = weather(group.state, { kind: 'tick', nowMs }, this.#size(group.name));
    const storm = decision.effects.find((effect) => 'members' in effect);
    if (storm !== undefined) {
      try {
        group.outage = await this.#declareOutage(group.name, storm.members);
      } catch (error) {
        logger.warn({ err: error, group: group.name }, 'an outage of a group cannot be recorded; its members are told');
        for (const subject of [...group.waiting.keys()]) this.#answer(group, subject, {});
        this.#groups.delete(group.name);
        return;
      }
    }
    this.#do(group, decision);
  }

  /** Looks after the groups that are out, whoever declared them so. */
  async #look(): Promise<void> {
    for (const outage of this.#deps.outages()) {
      if (this.#stopped) return;
      if (this.#deps.keeperOf(outage.name) !== this.#deps.observer) {
        this.#groups.delete(outage.name);
        continue;
      }
      const group = this.#group(outage.name);
      group.outage ??= outage;
      if (group.state.outage === undefined) group.state = { failing: outage.members, outage: outage.members };
      try {
        await this.#lookAt(group, group.outage);
      } catch (error) {
        this.#deps.logger.debug({ err: error, group: group.name }, 'the members of a group cannot be read now');
      }
    }
  }

  async #lookAt(group: Group, outage: GroupOutage): Promise<void> {
    const bucket = await this.#bucket();
    // The broker has lost it with its store: nobody must take that for the end.
    if ((await bucket.get(outage.name)) === undefined) await bucket.put(outage.name, outage);
    const newest = await this.#newest(group.name);
    const declared = new Set(subjectsOf(this.#deps.members(group.name)));
    for (const subject of group.state.failing) {
      const event = newest.get(subject);
      // What the log says from before the outage is older than what was reported.
      const back = event !== undefined && event.position > outage.revision && !isDown(event);
      if (!back && declared.has(subject)) continue;
      const decision = weather(group.state, this.#went('up', subject), declared.size);
      group.state = decision.state;
      const recovered = decision.effects.find((effect) => 'members' in effect);
      if (recovered === undefined) continue;
      await this.#declareRecovered(outage, recovered.members);
      this.#groups.delete(group.name);
      return;
    }
  }

  async #declareOutage(group: string, members: readonly string[]): Promise<GroupOutage> {
    const { log, clock, logger } = this.#deps;
    const subject = `group/${group}`;
    const episode = episodeId(subject, clock.now());
    const event = groupEvent({
      ...{ type: OBSERVER_EVENTS.groupOutage, group, episode, nowMs: clock.now() },
      data: { size: this.#size(group), members: [...members] },
    });
    const { versions } = await log.latestStates([subject]);
    const [appended] = await log.append({ events: [event], expect: { [subject]: versions[subject] ?? 0 } });
    if (appended === undefined) throw new Error('the recorder answered an append without its event');
    const { position, version } = appended;
    const outage: GroupOutage = {
      ...{ name: group, revision: position, event: event.id, version, episode, since: event.time },
      members: [...members],
    };
    await (await this.#bucket()).put(group, outage);
    logger.info({ event: event.id, position, group, members: members.length }, `group ${group} is out`);
    return outage;
  }

  async #declareRecovered(outage: GroupOutage, members: readonly string[]): Promise<void> {
    const { name: group, episode, version } = outage;
    const nowMs = this.#deps.clock.now();
    const downMs = Math.max(0, nowMs - Date.parse(outage.since));
    const event = groupEvent({
      ...{ type: OBSERVER_EVENTS.groupRecovered, group, episode, nowMs },
      data: { size: this.#size(group), members: [...members], downMs },
    });
    try {
      await this.#deps.log.append({ events: [event], expect: { [event.subject]: version } });
      this.#deps.logger.info({ event: event.id, group, downMs }, `group ${group} has recovered`);
    } catch (error) {
      // Another keeper has said so already.
      if (!isTocsinError(error, 'TCN_VERSION_CONFLICT')) throw error;
    }
    await (await this.#bucket()).delete(group);
  }

  /** Newest word of the log on each member, told or not. */
  async #newest(group: string): Promise<Map<string, RecordedEvent>> {
    const subjects = subjectsOf(this.#deps.members(group));
    const newest = new Map<string, RecordedEvent>();
    for (let start = 0; start < subjects.length; start += BATCH) {
      const { events } = await this.#deps.log.latestStates(subjects.slice(start, start + BATCH));
      for (const [subject, event] of events) newest.set(subject, event);
    }
    return newest;
  }

  #group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { name, state: NO_STORM, waiting: new Map(), timer: undefined, deciding: undefined, outage: undefined };
      this.#groups.set(name, group);
    }
    return group;
  }

  #size(group: string): number {
    return this.#deps.members(group).length;
  }

  #bucket() {
    return this.#deps.broker.kv(GROUP_OUTAGES_BUCKET);
  }
}

function causeIn({ outage }: Group): StormReply {
  return outage === undefined ? {} : { causedBy: outage.event };
}
