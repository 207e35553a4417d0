/** What decides about colour: a stream and the environment. */
export interface PaintContext {
  readonly isTTY?: boolean | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Puts colour on text, or leaves it as it is. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/**
 * Colour on a terminal, none elsewhere. `NO_COLOR` (https://no-color.org: present and not empty) and `TERM=dumb` switch it off,
 * `FORCE_COLOR` switches it on where it goes through a pipe.
 */
export function createPaint(context: PaintContext): Paint {
  const on = isColourful(context);
  const wrap = (code: number) => (text: string) => (on && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bold: wrap(1), dim: wrap(2), red: wrap(31), green: wrap(32), yellow: wrap(33) };
}

function isColourful({ isTTY, env }: PaintContext): boolean {
  const says = (name: string) => (env[name] ?? '') !== '';
  if (says('NO_COLOR')) return false;
  if (says('FORCE_COLOR')) return env['FORCE_COLOR'] !== '0';
  return isTTY === true && env['TERM'] !== 'dumb';
}

/** Colour of what goes to standard output. */
export const paint: Paint = createPaint({ isTTY: process.stdout.isTTY, env: process.env });

/** A target's or delivery's state in the colour that it has for whoever looks at it. */
export function paintState(state: string, with_: Paint = paint): string {
  if (['up', 'active', 'delivered', 'ok'].includes(state)) return with_.green(state);
  if (['down', 'dead', 'failed', 'disabled'].includes(state)) return with_.red(state);
  return ['degraded', 'unknown', 'paused', 'pending', 'parked'].includes(state) ? with_.yellow(state) : state;
}
