import type { Caller } from './caller.js';

/**
 * A key is asked about so often while a call with it lasts, in milliseconds. With the second for which an answer of the registry is believed, and
 * the answer's own way, a revoked key ends what it began within two seconds.
 */
const LOOK_MS = 500;

/**
 * Gives a signal for a call that lasts: it aborts when the key of the call stops being good for it, or when `gone` does, after which nobody
 * asks any more.
 */
export type WhileAllowed = (gone: AbortSignal) => AbortSignal;

/** Watches the key of one call. */
export function watchKey({ stillAllowed }: Pick<Caller, 'stillAllowed'>): WhileAllowed {
  return (gone) => {
    const refused = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      if (!(await stillAllowed())) refused.abort();
      else if (!gone.aborted) later();
    };
    const later = (): void => {
      timer = setTimeout(() => void look(), LOOK_MS).unref();
    };
    gone.addEventListener('abort', () => clearTimeout(timer), { once: true });
    if (!gone.aborted) later();
    return AbortSignal.any([gone, refused.signal]);
  };
}
