import { isCelError, plan } from '@bufbuild/cel';
import { ENVIRONMENT } from './environment.js';
import { Judge } from './judge.js';
import { metered } from './meter.js';
import { ExpressionFault, parseExpression } from './syntax.js';
import type { Kind } from './types.js';
import { type Bindings } from './variables.js';

/** An expression ready to be evaluated any number of times. */
export interface Expression {
  /** What it gives, as far as that is known. */
  readonly kind: Kind;
  /** Never throws: what goes wrong with an event is an outcome. */
  evaluate(bindings: Bindings): { value: unknown } | { failed: string };
}

/**
 * Compiles an expression within the caps.
 * @throws ExpressionFault with line and column
 */
export function compile(text: string): Expression {
  const parsed = parseExpression(text);
  const kind = new Judge(text, parsed).kind();
  let program: (bindings: Bindings) => unknown;
  try {
    program = plan(ENVIRONMENT, parsed) as typeof program;
  } catch (cause) {
    throw new ExpressionFault(cause instanceof Error ? cause.message : 'cannot be compiled', 1, 1, { cause });
  }
  return {
    kind,
    evaluate: (bindings) => {
      try {
        const value = metered(() => program(bindings));
        return isCelError(value) ? { failed: value.message } : { value };
      } catch (error) {
        return { failed: error instanceof Error ? error.message : String(error) };
      }
    },
  };
}
