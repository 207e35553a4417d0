import {
  type Destination,
  type DestinationSecrets,
  jsonPointer,
  restoreDestination,
  type SealedDestination,
} from '@tocsin/contracts';

/** The secrets of a destination as `splitDestination` gives them, also from a seal of the time when there were only two kinds. */
export function secretsOf(sealed: SealedDestination): DestinationSecrets {
  if (sealed.secrets !== undefined) return sealed.secrets;
  const headers = Object.entries(sealed.headers).map(([name, value]): [string, string] => [
    jsonPointer(['headers', name]),
    value,
  ]);
  return Object.fromEntries([['/url', sealed.url], ...headers]);
}

/**
 * The destination as it is meant, secrets in place: redacted forms stand for what is there now. Not where it leads to another host than
 * now: who may change a subscription but not read its secrets would otherwise have them sent to himself.
 * @throws TocsinError `TCN_INVALID` with a fault at each redacted form that stands for nothing
 */
export function destinationMeant(
  sent: Destination,
  current: { destination: Destination; secrets: DestinationSecrets } | undefined,
): Destination {
  const same = current !== undefined && leadsTo(sent) === leadsTo(current.destination);
  return restoreDestination(sent, same ? current.secrets : undefined);
}

/** Where secrets are sent: hosts, of redacted URLs too. */
function leadsTo(destination: Destination): string {
  const urls = [destination.url];
  if ('auth' in destination && destination.auth?.type === 'oauth2') urls.push(destination.auth.tokenUrl);
  return urls
    .map((text) => new URL(text))
    .map(({ protocol, host }) => `${protocol}//${host}`)
    .join(' ');
}
