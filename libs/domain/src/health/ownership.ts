import { spreadOf } from './cadence.js';

/** An observer that is alive. */
export interface ObserverSeat {
  id: string;
  /** Where it stands. */
  site: string;
}

/**
 * The observer that watches a target: of those in the target's site, or of all where none stands there, the one with the
 * highest hash of both names (rendezvous hashing). One that comes or goes moves its own targets only.
 */
export function ownerOf(subject: string, site: string | undefined, seats: readonly ObserverSeat[]): string | undefined {
  const near = seats.filter((seat) => seat.site === site);
  return ranked(subject, near.length > 0 ? near : seats)[0]?.id;
}

/** The `count` observers to ask for a vote on a target: others than `owner`, those of other sites first. */
export function votersFor(
  subject: string,
  owner: ObserverSeat,
  seats: readonly ObserverSeat[],
  count: number,
): ObserverSeat[] {
  const others = ranked(subject, seats).filter((seat) => seat.id !== owner.id);
  const elsewhere = others.filter((seat) => seat.site !== owner.site);
  const here = others.filter((seat) => seat.site === owner.site);
  return [...elsewhere, ...here].slice(0, count);
}

function ranked(subject: string, seats: readonly ObserverSeat[]): ObserverSeat[] {
  return seats
    .map((seat) => ({ seat, score: spreadOf(`${seat.id} ${subject}`) }))
    .toSorted((one, other) => other.score - one.score || (one.seat.id < other.seat.id ? -1 : 1))
    .map(({ seat }) => seat);
}
