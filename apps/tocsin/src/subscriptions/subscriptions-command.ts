import type { ServerOptions } from '../command-line/arguments.js';
import { note, print, printJson } from '../command-line/output.js';
import { withClient } from '../server/connection.js';

const pathOf = (name: string) => `/v1/subscriptions/${encodeURIComponent(name)}`;

/** `tocsin subscriptions rotate-secret`: the new secret goes to standard output alone, so that it can be piped where it belongs. */
export async function rotateSecret(
  name: string,
  options: ServerOptions & { overlap?: string; json?: boolean },
): Promise<void> {
  const { overlap } = options;
  const subscription = (await withClient(options, (client) =>
    client.call('POST', `${pathOf(name)}/rotate-secret`, overlap === undefined ? {} : { overlap }),
  )) as { secret: string };
  if (options.json === true) {
    printJson({ name, secret: subscription.secret });
    return;
  }
  print(subscription.secret);
  note(
    `the new signing secret of ${name}, shown this once; the old one goes on signing beside it for ${overlap ?? '24h'}`,
  );
}

/** `tocsin subscriptions pause`, `… resume`: what matches while it is paused waits. */
export async function setPaused(name: string, paused: boolean, options: ServerOptions): Promise<void> {
  await withClient(options, (client) => client.call('POST', `${pathOf(name)}/${paused ? 'pause' : 'resume'}`));
  print(`subscription/${name} ${paused ? 'paused' : 'resumed'}`);
}

/** What `replay` takes. */
export type ReplayOptions = ServerOptions & {
  from: string;
  to?: string;
  type?: string[];
  subject?: string;
  perSecond?: number;
};

/** `tocsin subscriptions replay`: the request is recorded; the requests go out beside what is new. */
export async function replay(name: string, options: ReplayOptions): Promise<void> {
  const { from, to, type: types, subject, perSecond } = options;
  const body = {
    from: pointOf(from),
    ...(to === undefined ? {} : { to: pointOf(to) }),
    ...(types === undefined ? {} : { types }),
    ...(subject === undefined ? {} : { subject }),
    ...(perSecond === undefined ? {} : { perSecond }),
  };
  await withClient(options, (client) => client.call('POST', `${pathOf(name)}/replay`, body));
  print(`subscription/${name} is sent again what matched`);
}

function pointOf(text: string): { position: number } | { time: string } {
  return /^\d{1,16}$/.test(text) ? { position: Number(text) } : { time: text };
}
