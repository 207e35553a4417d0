/** A request of Tocsin's as a receiver saw it. Times by `performance.now()`. */
export interface Arrival {
  /** Its `webhook-id`. */
  id: string;
  subject: string;
  /** What it says, short: `offline`, `reading 17`. */
  says: string;
  /** Position of its event in the log. */
  position: number;
  beganMs: number;
  /** When it was answered; absent while it is not. */
  endedMs?: number;
  /** Was it answered with a success? */
  accepted: boolean;
  /** Did its signature verify? */
  signed: boolean;
}

/** Something that could keep the outcome of an attempt from being written down. */
export interface Kill {
  what: string;
  atMs: number;
  /** Requests that began at or before `untilMs` and were answered at or after `fromMs` may come once more. */
  fromMs: number;
  untilMs: number;
}

/** What one subscriber had to be told, in order for each subject, and what came. */
export interface Account {
  subscriber: string;
  must: readonly { subject: string; says: string }[];
  arrivals: readonly Arrival[];
}

/** The verdict on one subscriber. */
export interface Judgement {
  subscriber: string;
  /** Different events that had to come, and that were taken. */
  must: number;
  received: number;
  /** Requests that were answered with something else than a success, or never. */
  refused: number;
  /** Requests taken more than once. */
  duplicates: number;
  /** Requests in flight at a kill: as many may come once more. */
  inFlightAtKills: number;
  /** Of those taken more than once: how long before the kill the first was answered at most, milliseconds; 0 if none was. */
  answeredBeforeMs: number;
  order: 'kept' | 'broken';
  /** Promises that were broken, a line each. */
  breaches: string[];
}

/** Most breaches of one kind that are named. */
const NAMED = 5;

/** Judges by what a receiver saw alone. */
export function judge({ subscriber, must, arrivals }: Account, kills: readonly Kill[]): Judgement {
  const taken = arrivals.filter(({ accepted }) => accepted);
  const first = new Map<string, Arrival>();
  const repeats: { repeat: Arrival; before: Arrival }[] = [];
  const last = new Map<string, Arrival>();
  for (const arrival of taken) {
    const before = last.get(arrival.id);
    if (before === undefined) first.set(arrival.id, arrival);
    else repeats.push({ repeat: arrival, before });
    last.set(arrival.id, arrival);
  }
  const distinct = [...first.values()];
  const inFlightAtKills = kills.reduce((sum, kill) => sum + new Set(inFlight(taken, kill).map(({ id }) => id)).size, 0);
  const unexcused = repeats.filter(
    ({ repeat, before }) => !kills.some((kill) => mayRepeat(before, kill) && repeat.beganMs >= kill.atMs),
  );
  const disorder = outOfOrder(distinct);
  return {
    subscriber,
    must: must.length,
    received: distinct.length,
    refused: arrivals.length - taken.length,
    duplicates: repeats.length,
    inFlightAtKills,
    answeredBeforeMs: Math.max(0, ...repeats.map(({ before }) => answeredBeforeMs(before, kills))),
    order: disorder.length === 0 ? 'kept' : 'broken',
    breaches: [
      ...differences(must, distinct),
      ...named(arrivals.filter(({ signed }) => !signed).map((each) => `signature does not verify: ${text(each)}`)),
      ...named(disorder.map((each) => `out of order: ${text(each)}`)),
      ...named(unexcused.map(({ repeat }) => `taken twice without having been in flight at a kill: ${text(repeat)}`)),
      ...(repeats.length > inFlightAtKills
        ? [`${repeats.length} duplicates, and only ${inFlightAtKills} requests in flight at the kills`]
        : []),
    ].map((breach) => `${subscriber}: ${breach}`),
  };
}

function inFlight(taken: readonly Arrival[], kill: Kill): Arrival[] {
  return taken.filter((arrival) => mayRepeat(arrival, kill));
}

function mayRepeat({ beganMs, endedMs = Number.POSITIVE_INFINITY }: Arrival, kill: Kill): boolean {
  return beganMs <= kill.untilMs && endedMs >= kill.fromMs;
}

/** How long the answer had been there when the nearest kill that excuses a repeat came. */
function answeredBeforeMs(before: Arrival, kills: readonly Kill[]): number {
  const excusing = kills.filter((kill) => mayRepeat(before, kill));
  if (before.endedMs === undefined || excusing.length === 0) return 0;
  return Math.min(...excusing.map(({ atMs }) => Math.max(0, atMs - (before.endedMs ?? atMs))));
}

/** Events whose predecessor of the same subject came after them. */
function outOfOrder(distinct: readonly Arrival[]): Arrival[] {
  const highest = new Map<string, number>();
  return distinct.filter((arrival) => {
    const before = highest.get(arrival.subject) ?? 0;
    highest.set(arrival.subject, Math.max(before, arrival.position));
    return arrival.position < before;
  });
}

/** What is missing, and what is too much, subject by subject. */
function differences(must: Account['must'], distinct: readonly Arrival[]): string[] {
  const wanted = bySubject(must);
  const got = bySubject(distinct);
  const lines = [...new Set([...wanted.keys(), ...got.keys()])].flatMap((subject) => {
    const [want, have] = [wanted.get(subject) ?? [], got.get(subject) ?? []];
    if (want.join() === have.join()) return [];
    return [`${subject} had to be told [${short(want)}] and was told [${short(have)}]`];
  });
  return named(lines);
}

function bySubject(events: readonly { subject: string; says: string }[]): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const { subject, says } of events) map.set(subject, [...(map.get(subject) ?? []), says]);
  return map;
}

function short(says: readonly string[]): string {
  return says.length <= 12 ? says.join(', ') : `${says.slice(0, 12).join(', ')} … ${says.length} in all`;
}

function named(lines: string[]): string[] {
  return lines.length <= NAMED ? lines : [...lines.slice(0, NAMED), `and ${lines.length - NAMED} more of this kind`];
}

function text({ says, subject, id }: Arrival): string {
  return `${says} ${subject} (${id})`;
}
