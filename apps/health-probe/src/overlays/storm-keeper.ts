import {
  PROBE_RPC,
  stormRequestSchema,
  type GroupOutage,
  type StormReply,
  type StormRequest,
  type WatchedTarget,
} from '@tocsin/contracts';
import {
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
import { isDown } from './group-event.js';
import { subjectsOf } from './group-storms.js';
import { OutageRecord } from './outage-record.js';
import type { SuspectCount } from './suspect-count.js';

/** How often the log is asked whether the members of a group that is out are back. */
const PERIOD_MS = 2_000;
/** How often the time is told to a group that collects. */
const TICK_MS = 250;
/** Subjects in one request: as many as a reply can hold events for. */
const BATCH = 250;

export interface StormKeeperDeps {
  observer: string;
  broker: Pick<Broker, 'serve' | 'kv'>;
  clock: Clock;
  logger: Logger;
  log: HealthLog;
  members: (group: string) => readonly WatchedTarget[];
  /** Members that fail and are not confirmed yet. */
  suspects: Pick<SuspectCount, 'count' | 'look'>;
  /** Group outages that last, by the bucket. */
  outages: () => readonly GroupOutage[];
  keeperOf: (group: string) => string | undefined;
}

interface Group {
  readonly name: string;
  state: StormState;
  /** Members that were reported, each for the newest of its outages. */
  readonly reported: Map<string, { episode: string; verdict?: 'alone' | 'absorbed' }>;
  timer: NodeJS.Timeout | undefined;
  /** The collected are being judged; who is reported meanwhile is told to wait. */
  deciding: Promise<void> | undefined;
  outage: GroupOutage | undefined;
  /** It stands in the bucket, as all can see: where it does no more, it is over. */
  standing: boolean;
}

/**
 * Decides for the groups it keeps what is one outage of many. It answers at once, if only that it has not decided, and is asked again
 * about all who wait; so it needs no memory that outlives it. Which members are down is read from the log at the moment of the
 * decision, so that a keeper that comes new to a group decides as its predecessor would have.
 */
export class StormKeeper {
  readonly #deps: StormKeeperDeps;
  readonly #record: OutageRecord;
  readonly #groups = new Map<string, Group>();
  /** By group: the event of the last outage that this keeper has ended. It may stand in the bucket for a moment longer. */
  readonly #ended = new Map<string, string>();
  readonly #abort = new AbortController();
  #serving: Serving | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(deps: StormKeeperDeps) {
    this.#deps = deps;
    const { broker, clock, logger, log } = deps;
    this.#record = new OutageRecord({ broker, clock, logger, log, size: (group) => this.#size(group) });
  }

  start(): void {
    this.#serving = this.#deps.broker.serve(`${PROBE_RPC.stormPrefix}.${this.#deps.observer}`, {
      schema: stormRequestSchema,
      handle: (request) => Promise.resolve(this.#judge(request)),
    });
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    }, PERIOD_MS);
  }

  /** Whoever still waits asks the next keeper. */
  async stop(): Promise<void> {
    this.#abort.abort();
    clearInterval(this.#timer);
    for (const group of this.#groups.values()) clearTimeout(group.timer);
    await this.#serving?.close();
    await Promise.all([this.#looking, ...[...this.#groups.values()].map((group) => group.deciding)]);
  }

  #judge({ group: name, members, collectedMs }: StormRequest): StormReply {
    const lasting = this.#lasting().find((outage) => outage.name === name);
    if (lasting === undefined && this.#groups.get(name)?.standing === true) this.#groups.delete(name);
    const group = this.#group(name);
    if (lasting !== undefined && group.deciding === undefined) this.#adopt(group, lasting);
    // While it is decided about others, who is new has not been heard yet.
    if (group.deciding === undefined) this.#hear(group, members, collectedMs);
    const told = (verdict: 'alone' | 'absorbed') =>
      members.flatMap(({ subject, episode }) => {
        const known = group.reported.get(subject);
        return known?.episode === episode && known.verdict === verdict ? [subject] : [];
      });
    const { outage } = group;
    const { collecting } = group.state;
    return {
      ...{ alone: told('alone'), absorbed: told('absorbed') },
      ...(outage === undefined ? {} : { causedBy: outage.event }),
      collectedMs: collecting === undefined ? 0 : Math.max(0, this.#nowMs() - collecting.sinceMs),
    };
  }

  #hear(group: Group, members: StormRequest['members'], collectedMs: number): void {
    const fresh = members.filter(({ subject, episode }) => group.reported.get(subject)?.episode !== episode);
    if (fresh.length === 0) return;
    const size = this.#size(group.name);
    const subjects = fresh.map(({ subject }) => subject);
    // Whoever is down again has been up meanwhile.
    this.#take(group, weather(group.state, { kind: 'up', subjects }, size));
    for (const { subject, episode } of fresh) group.reported.set(subject, { episode });
    this.#do(group, weather(group.state, { kind: 'down', subjects, nowMs: this.#nowMs(), collectedMs }, size));
  }

  #do(group: Group, decision: StormDecision): void {
    this.#take(group, decision);
    if (decision.effects.some(({ kind }) => kind === 'look')) void this.#deps.suspects.look(group.name);
    if (group.state.collecting === undefined || group.timer !== undefined || this.#abort.signal.aborted) return;
    group.timer = setTimeout(() => {
      group.timer = undefined;
      this.#tick(group);
    }, TICK_MS);
  }

  #take(group: Group, { state, effects }: StormDecision): void {
    group.state = state;
    for (const effect of effects) {
      if (effect.kind !== 'announce' && effect.kind !== 'absorb') continue;
      const known = group.reported.get(effect.subject);
      if (known !== undefined) known.verdict = effect.kind === 'announce' ? 'alone' : 'absorbed';
    }
  }

  #tick(group: Group): void {
    const nowMs = this.#nowMs();
    const untilMs = group.state.collecting?.untilMs;
    if (untilMs === undefined || group.deciding !== undefined) return;
    if (nowMs < untilMs) {
      this.#do(group, weather(group.state, { kind: 'tick', nowMs, suspects: 0 }, this.#size(group.name)));
    } else if (this.#deps.keeperOf(group.name) === this.#deps.observer) {
      group.deciding = this.#decide(group).finally(() => (group.deciding = undefined));
    } else {
      // Those who wait ask the one that keeps it now.
      this.#groups.delete(group.name);
    }
  }

  /** The time to collect is over. */
  async #decide(group: Group): Promise<void> {
    const { logger, suspects } = this.#deps;
    const { name } = group;
    const [suspected, down] = await Promise.all([suspects.count(name), this.#down(name)]);
    const collected = group.state.collecting?.members ?? [];
    if (down !== undefined) group.state = { ...group.state, failing: [...new Set([...down, ...collected])] };
    const input: StormInput = { kind: 'tick', nowMs: this.#nowMs(), suspects: suspected };
    const decision = weather(group.state, input, this.#size(name));
    const storm = decision.effects.find((effect) => 'members' in effect);
    if (storm !== undefined) {
      try {
        group.outage = await this.#record.began(name, storm.members, this.#abort.signal);
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        logger.warn({ err: error, group: name }, 'an outage of a group cannot be recorded; its members are told');
        const alone = collected.map((subject) => ({ kind: 'announce', subject }) as const);
        this.#take(group, { state: { failing: group.state.failing }, effects: alone });
        return;
      }
    }
    this.#do(group, decision);
  }

  /** Members that are down by the log; undefined where it cannot be read: then what was reported decides. */
  async #down(group: string): Promise<string[] | undefined> {
    try {
      const newest = await this.#newest(group);
      return [...newest].filter(([, event]) => isDown(event)).map(([subject]) => subject);
    } catch (error) {
      this.#deps.logger.warn({ err: error, group }, 'the members of a group cannot be read; what was reported decides');
      return undefined;
    }
  }

  /** Looks after the groups that are out, whoever declared them so. */
  async #look(): Promise<void> {
    for (const outage of this.#lasting()) {
      if (this.#abort.signal.aborted) return;
      if (this.#deps.keeperOf(outage.name) !== this.#deps.observer) {
        this.#groups.delete(outage.name);
        continue;
      }
      const group = this.#group(outage.name);
      if (group.deciding !== undefined) continue;
      this.#adopt(group, outage);
      try {
        await this.#lookAt(group, outage);
      } catch (error) {
        this.#deps.logger.debug({ err: error, group: group.name }, 'the members of a group cannot be read now');
      }
    }
  }

  async #lookAt(group: Group, outage: GroupOutage): Promise<void> {
    await this.#record.keep(outage);
    const newest = await this.#newest(group.name);
    const declared = new Set(subjectsOf(this.#deps.members(group.name)));
    const back = group.state.failing.filter((subject) => {
      const event = newest.get(subject);
      // What the log says from before the outage is older than what was reported.
      return !declared.has(subject) || (event !== undefined && event.position > outage.revision && !isDown(event));
    });
    const decision = weather(group.state, { kind: 'up', subjects: back }, declared.size);
    group.state = decision.state;
    const recovered = decision.effects.find((effect) => 'members' in effect);
    if (recovered === undefined) return;
    await this.#record.ended(outage, recovered.members);
    this.#ended.set(group.name, outage.event);
    this.#groups.delete(group.name);
  }

  /** The group is out already: whoever waits, and whoever comes, is one of many. */
  #adopt(group: Group, outage: GroupOutage): void {
    group.outage = outage;
    group.standing = true;
    if (group.state.outage !== undefined) return;
    const collected = group.state.collecting?.members ?? [];
    const failing = [...new Set([...outage.members, ...collected])];
    const effects = collected.map((subject) => ({ kind: 'absorb', subject }) as const);
    this.#take(group, { state: { failing, outage: failing }, effects });
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

  #lasting(): GroupOutage[] {
    return this.#deps.outages().filter(({ name, event }) => this.#ended.get(name) !== event);
  }

  #group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      const fresh = { timer: undefined, deciding: undefined, outage: undefined, standing: false };
      group = { name, state: NO_STORM, reported: new Map(), ...fresh };
      this.#groups.set(name, group);
    }
    return group;
  }

  #size(group: string): number {
    return this.#deps.members(group).length;
  }

  #nowMs(): number {
    return this.#deps.clock.monotonicMs();
  }
}
