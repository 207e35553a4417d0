import { spreadOf } from './cadence.js';
import type { ProbeResult, VoidedProbe } from './probe-result.js';

/** Deeper chains of parents are a mistake in the declaration. */
const MAX_DEPTH = 16;

/**
 * Is a suspect child unreachable rather than dead? Its parent is probed at once; only a parent that certainly fails hides its
 * children. What the observer could not find out hides nothing.
 */
export function hiddenBy(parentProbe: ProbeResult | VoidedProbe): boolean {
  return parentProbe.kind === 'result' && parentProbe.origin === 'remote' && parentProbe.outcome === 'fail';
}

/** Milliseconds until a child is probed again after its parent's recovery: all children spread over one interval. */
export function recheckDelayMs(subject: string, intervalMs: number): number {
  return spreadOf(subject) * intervalMs;
}

/** The parents of a target, nearest first. Ends where a parent is not declared, or where the chain bites its own tail. */
export function ancestorsOf(name: string, parentOf: (name: string) => string | undefined): string[] {
  const ancestors: string[] = [];
  for (let next = parentOf(name); next !== undefined && ancestors.length < MAX_DEPTH; next = parentOf(next)) {
    if (next === name || ancestors.includes(next)) break;
    ancestors.push(next);
  }
  return ancestors;
}
