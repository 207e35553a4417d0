import type { Broker } from './broker.js';
import type { Link } from './link.js';

const links = new WeakMap<Broker, Link>();

/** Remembers the connection under a broker, out of sight of those who import this library. */
export function registerLink(broker: Broker, link: Link): void {
  links.set(broker, link);
}

/** The connection under a broker. */
export function linkOf(broker: Broker): Link {
  const link = links.get(broker);
  if (link === undefined) throw new TypeError('not a Broker made by Broker.connect');
  return link;
}
