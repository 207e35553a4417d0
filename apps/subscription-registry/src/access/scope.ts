import { jsonPointer } from '@tocsin/contracts';
import { type Fault, labelsContain, TocsinError } from '@tocsin/domain';
import { type Scope, scopeText } from '@tocsin/platform';

type Labels = Readonly<Record<string, string>>;

/** Does something with these labels lie in the scope of a key? Without a scope everything does. */
export function inScope(labels: Labels, scope: Scope | undefined): boolean {
  return labelsContain(labels, scope ?? {});
}

/**
 * Refuses to declare, with a key that has a scope, what would not carry its labels.
 * @param input.pointer where the labels stand in the declaration
 * @throws TocsinError `TCN_FORBIDDEN` with a fault for each label
 */
export function requireInScope(input: {
  subject: string;
  scope: Scope | undefined;
  wanted: Labels;
  pointer: '/labels' | '/selector';
}): void {
  const { subject, scope = {}, wanted, pointer } = input;
  const faults = Object.entries(scope)
    .filter(([name, value]) => wanted[name] !== value)
    .map(([name, value]): Fault => ({
      pointer: pointer + jsonPointer([name]),
      detail: `must be ${JSON.stringify(value)}: this key is for ${scopeText(scope)} only`,
    }));
  const [first] = faults;
  if (first === undefined) return;
  throw new TocsinError('TCN_FORBIDDEN', `${subject}: ${first.pointer}: ${first.detail}`, { faults });
}

/**
 * Refuses to declare something under the name of what the key may not see.
 * @param standing labels of what stands under the name; undefined where nothing does
 * @throws TocsinError `TCN_CONFLICT`
 */
export function requireFreeName(subject: string, scope: Scope | undefined, standing: Labels | undefined): void {
  if (scope === undefined || standing === undefined || inScope(standing, scope)) return;
  const detail = `${subject} is there already, outside of what this key is for (${scopeText(scope)}): take another name`;
  throw new TocsinError('TCN_CONFLICT', detail, { faults: [{ pointer: '/name', detail }] });
}
