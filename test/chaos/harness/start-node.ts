import { FakeNode } from '@tocsin/testing';

/**
 * Above what Linux gives to outgoing connections (32768–60999) and above what servers of tests take (15000–32000): a node that is down
 * does not listen, and whoever took its port meanwhile would keep it from coming back.
 */
const LOWEST = 61_000;
const HIGHEST = 65_535;

let next = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));

/** Starts a node on a port that nobody else is given in this process. */
export async function startNode(): Promise<FakeNode> {
  for (let tried = LOWEST; tried <= HIGHEST; tried += 1) {
    const port = next;
    next = next === HIGHEST ? LOWEST : next + 1;
    try {
      return await FakeNode.start({ port });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
  throw new Error(`no port between ${LOWEST} and ${HIGHEST} is free`);
}
