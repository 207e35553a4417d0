import { createHash } from 'node:crypto';
import { eventLabels, isWithheld, type EventToAppend } from './event.js';
import { typeMatches } from './type-pattern.js';

/** What a subscription asks for: all of its parts must be met. */
export interface MatchClause {
  /** Type patterns, any of which is enough. */
  readonly types: readonly string[];
  /** Labels, all of which the event must carry with equal values. */
  readonly labels: Readonly<Record<string, string>>;
  /** An expression over the event that must be true; asked last. */
  readonly filter?: string | undefined;
}

/** An event as far as it is matched by what it says, not by its type. */
type Labelled = Pick<EventToAppend, 'data'> & Partial<Pick<EventToAppend, 'source' | 'extensions'>>;

/** Why a clause does not ask for an event, by the first part of it that does not. */
export type Mismatch =
  | { readonly clause: 'type' | 'withheld' }
  | { readonly clause: 'labels'; readonly label: string; readonly wanted: string; readonly found: string | undefined }
  | FilterMismatch;

/** The filter is not true of the event, or `failed` for the reason given. */
export interface FilterMismatch {
  readonly clause: 'filter';
  readonly failed?: string;
}

/** Asks the clause's filter, if it has one; undefined where there is none or it is true of the event. Throws nothing. */
export type AskFilter<E> = (clause: MatchClause, event: E) => FilterMismatch | undefined;

/** Are all wanted labels among these, with equal values? */
export function labelsContain(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/** Does the event carry every wanted label? One that is withheld from everybody matches no labels, not even none. */
export function labelsMatch(wanted: Readonly<Record<string, string>>, event: Labelled): boolean {
  return labelMismatch(wanted, event) === undefined;
}

function labelMismatch(wanted: Readonly<Record<string, string>>, event: Labelled): Mismatch | undefined {
  if (isWithheld(event)) return { clause: 'withheld' };
  const names = Object.keys(wanted);
  if (names.length === 0) return undefined;
  const labels = eventLabels(event);
  const label = names.find((name) => labels[name] !== wanted[name]);
  return label === undefined
    ? undefined
    : { clause: 'labels', label, wanted: wanted[label] ?? '', found: labels[label] };
}

/** Does the clause ask for events of this type? */
export function clauseWantsType(clause: MatchClause, type: string): boolean {
  return clause.types.some((pattern) => typeMatches(pattern, type));
}

/**
 * What of the clause keeps it from asking for this event; undefined where it asks for it. The filter costs most and is asked last.
 * @param askFilter evaluating expressions is `@tocsin/cel`'s; nobody decides without it
 */
export function mismatchOf<E extends Pick<EventToAppend, 'type'> & Labelled>(
  clause: MatchClause,
  event: E,
  askFilter: AskFilter<E>,
): Mismatch | undefined {
  if (!clauseWantsType(clause, event.type)) return { clause: 'type' };
  return labelMismatch(clause.labels, event) ?? askFilter(clause, event);
}

/** Does the clause ask for this event? Parameters as for {@link mismatchOf}. */
export function clauseMatches<E extends Pick<EventToAppend, 'type'> & Labelled>(
  clause: MatchClause,
  event: E,
  askFilter: AskFilter<E>,
): boolean {
  return mismatchOf(clause, event, askFilter) === undefined;
}

/** The shard a subscription belongs to, for ever: 0 … shards − 1. */
export function shardOf(subscription: string, shards: number): number {
  return createHash('sha256').update(subscription).digest().readUInt32BE(0) % shards;
}
