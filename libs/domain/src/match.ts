import { createHash } from 'node:crypto';
import { eventLabels, isWithheld, type EventToAppend } from './event.js';
import { typeMatches } from './type-pattern.js';

/** What a subscription asks for. */
export interface MatchClause {
  /** Type patterns, any of which is enough. */
  readonly types: readonly string[];
  /** Labels, all of which the event must carry with equal values. */
  readonly labels: Readonly<Record<string, string>>;
}

/** An event as far as it is matched by what it says, not by its type. */
type Labelled = Pick<EventToAppend, 'data'> & Partial<Pick<EventToAppend, 'source' | 'extensions'>>;

/** Does the event carry every wanted label? One that is withheld from everybody matches no labels, not even none. */
export function labelsMatch(wanted: Readonly<Record<string, string>>, event: Labelled): boolean {
  if (isWithheld(event)) return false;
  const names = Object.keys(wanted);
  if (names.length === 0) return true;
  const labels = eventLabels(event);
  return names.every((name) => labels[name] === wanted[name]);
}

/** Does the clause ask for events of this type? */
export function clauseWantsType(clause: MatchClause, type: string): boolean {
  return clause.types.some((pattern) => typeMatches(pattern, type));
}

/** Does the clause ask for this event? */
export function clauseMatches(clause: MatchClause, event: Pick<EventToAppend, 'type'> & Labelled): boolean {
  return clauseWantsType(clause, event.type) && labelsMatch(clause.labels, event);
}

/** The shard a subscription belongs to, for ever: 0 … shards − 1. */
export function shardOf(subscription: string, shards: number): number {
  return createHash('sha256').update(subscription).digest().readUInt32BE(0) % shards;
}
