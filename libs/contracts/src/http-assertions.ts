import { RE2JS, RE2JSException } from '@bufbuild/re2';
import parseJsonPath from 'jsonpath-rfc9535/parser';
import { z } from 'zod';

/** Patterns and paths are short: they stand in every vote and in every list of targets. */
const MOST_CHARS = 512;

/** What is wrong with a pattern in RE2's syntax; undefined where nothing is. */
function regexFault(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof RE2JSException) return error.message;
    throw error;
  }
}

/**
 * What is wrong with a path; undefined where nothing is. Filters and `..` are left out, and so are several selectors in one bracket: with
 * them a short path may visit a small document a billion times. Without them each value is visited once at most.
 */
function jsonPathFault(path: string): string | undefined {
  let parsed: ReturnType<typeof parseJsonPath>;
  try {
    parsed = parseJsonPath(path);
  } catch (error) {
    return `must be a JSON path (RFC 9535) such as $.status or $.checks[*].state: ${reasonIn(error)}`;
  }
  for (const { type, node } of parsed.segments) {
    if (type === 'DescendantSegment') return 'must not hold "..": name the way to the value';
    if (node.type !== 'BracketedSelection') continue;
    if (node.selectors.length > 1) return 'must not hold several selectors in one bracket';
    if (node.selectors.some((selector) => selector.type === 'FilterSelector')) return 'must not hold a filter ("?")';
  }
  return undefined;
}

function reasonIn(error: unknown): string {
  return error instanceof Error ? error.message : 'it cannot be read';
}

/** Adds a fault with words of its own where `faultOf` finds one. */
function faultless(faultOf: (text: string) => string | undefined) {
  return (text: string, context: z.RefinementCtx<string>): void => {
    const fault = faultOf(text);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  };
}

/** A pattern for the body, in RE2's syntax: it takes time in proportion to the body, whatever pattern and body are. */
export const bodyRegexSchema = z
  .string()
  .min(1)
  .max(MOST_CHARS)
  .superRefine(faultless(regexFault))
  .meta({
    description:
      'Pattern (RE2 syntax) that must match somewhere in the first 64 KiB of the body; `(?i)` and `(?s)` as flags',
    examples: ['"status":\\s*"(?:ok|green)"'],
  });

const scalarSchema = z.union([z.string().max(1024), z.number(), z.boolean(), z.null()]);

const COMPARISONS = ['equals', 'notEquals', 'in', 'above', 'below', 'exists'] as const;

/** What one value of a JSON body must be. Where the path leads to several, it holds for each. */
export const jsonAssertionSchema = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .max(MOST_CHARS)
      .superRefine(faultless(jsonPathFault))
      .meta({
        description:
          'JSON path (RFC 9535) without filters and ".."; where it leads to several values, each is compared',
        examples: ['$.status', '$.checks[*].state'],
      }),
    equals: scalarSchema.optional(),
    notEquals: scalarSchema.optional(),
    in: z.array(scalarSchema).min(1).max(32).optional().meta({ description: 'Is one of these' }),
    above: z.number().optional().meta({ description: 'Is a number greater than this' }),
    below: z.number().optional().meta({ description: 'Is a number less than this' }),
    exists: z.boolean().optional().meta({ description: 'Is there at all, whatever it is; false: is not' }),
  })
  .superRefine((assertion, context) => {
    const named = COMPARISONS.filter((comparison) => assertion[comparison] !== undefined);
    if (named.length === 0) {
      context.addIssue({ code: 'custom', message: `must have one of ${COMPARISONS.join(', ')}` });
    } else if (assertion.exists === false && named.length > 1) {
      context.addIssue({ code: 'custom', path: ['exists'], message: 'must be alone: what is not there has no value' });
    }
  })
  .meta({ id: 'JsonAssertion' });
export type JsonAssertion = z.infer<typeof jsonAssertionSchema>;
