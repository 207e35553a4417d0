import type { TargetKind } from '@tocsin/contracts';
import type { Scope } from '@tocsin/platform';
import { inScope } from '../access/scope.js';
import type { Declaration } from '../log/registry-log.js';
import { type OwnedWindow, windowRemoval, windowSubject } from '../maintenance/window-log.js';
import { subscriptionSubject, targetDeclarationSubject } from '../projection/change.js';
import { subscriptionRemoval } from '../subscriptions/remove-subscription.js';
import type { StandingSubscription } from '../subscriptions/subscription-store.js';
import type { StandingTarget } from '../targets/target-store.js';
import type { ApplyStep } from './apply-step.js';

/** How things stand by their names: all that are declared by the request, and with pruning all that are the owner's. */
export interface Standing {
  readonly targets: ReadonlyMap<string, StandingTarget>;
  readonly subscriptions: ReadonlyMap<string, StandingSubscription>;
  readonly maintenance: ReadonlyMap<string, OwnedWindow>;
}

/**
 * What has to be recorded so that nothing is there any more that is this owner's and not declared. Targets go before subscriptions:
 * whoever was told of an outage is told that it ends with its target.
 */
export async function planRemovals(input: {
  /** Subjects of all that is declared. */
  declared: ReadonlySet<string>;
  owner: string;
  standing: Standing;
  actor: string;
  /** What lies outside of it stays. */
  scope?: Scope | undefined;
  /** For each of the targets what has to be recorded. */
  removeTargets: (targets: { kind: TargetKind; name: string; version: number }[]) => Promise<Declaration[][]>;
}): Promise<ApplyStep[]> {
  const { declared, owner, standing, actor, scope } = input;
  const targets = [...standing.targets].flatMap(([name, { version, declared: now }]) =>
    now?.owner === owner && !declared.has(targetDeclarationSubject(name)) && inScope(now.spec.labels, scope)
      ? [{ kind: now.spec.kind, name, version, revision: now.revision }]
      : [],
  );
  const removals = await input.removeTargets(targets.map(({ kind, name, version }) => ({ kind, name, version })));
  return [
    ...[...standing.maintenance].flatMap(([name, { version, window, owner: whose }]): ApplyStep[] =>
      window !== undefined &&
      whose === owner &&
      !declared.has(windowSubject(name)) &&
      inScope(window.spec.selector, scope)
        ? [gone('maintenance', name, windowSubject(name), window.revision, [windowRemoval(name, version, actor)])]
        : [],
    ),
    ...targets.map(({ name, revision }, index) =>
      gone('target', name, targetDeclarationSubject(name), revision, removals[index] ?? []),
    ),
    ...[...standing.subscriptions].flatMap(([name, { version, declared: now }]): ApplyStep[] =>
      now?.owner === owner && !declared.has(subscriptionSubject(name)) && inScope(now.spec.labels, scope)
        ? [
            gone('subscription', name, subscriptionSubject(name), now.revision, [
              subscriptionRemoval(name, version, actor),
            ]),
          ]
        : [],
    ),
  ];
}

function gone(
  kind: ApplyStep['kind'],
  name: string,
  subject: string,
  revision: number,
  declarations: readonly Declaration[],
): ApplyStep {
  return { kind, name, subject, outcome: 'deleted', revision, declarations };
}
