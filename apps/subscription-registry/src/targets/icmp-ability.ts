import { icmpReplySchema, needsIcmp, PROBE_RPC, type TargetSpec } from '@tocsin/contracts';
import { isTocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { faultAt } from '../request/fault.js';

/** Observers that make ICMP checks try the helper at their start; one that has just started is waited for. */
const TIMEOUT_MS = 3_000;
const OFF = 'ICMP checks are off: no observer that makes them answers (TOCSIN_ICMP=on)';

/** Knows whether there are observers that make ICMP checks: a target that nobody could probe is better refused than never looked at. */
export class IcmpAbility {
  readonly #broker: Pick<Broker, 'request'>;

  constructor(broker: Pick<Broker, 'request'>) {
    this.#broker = broker;
  }

  /** Why ICMP checks cannot be made; undefined where they can, or none of the targets needs them. */
  async fault(specs: readonly Pick<TargetSpec, 'check'>[]): Promise<string | undefined> {
    if (!specs.some(({ check }) => needsIcmp(check))) return undefined;
    try {
      const options = { schema: icmpReplySchema, timeoutMs: TIMEOUT_MS };
      const { reason } = await this.#broker.request(PROBE_RPC.icmp, {}, options);
      return reason === undefined ? undefined : `ICMP checks are not possible: ${reason}`;
    } catch (error) {
      if (isTocsinError(error, 'TCN_UNAVAILABLE', 'TCN_TIMEOUT')) return OFF;
      throw error;
    }
  }
}

/** @throws TocsinError `TCN_INVALID` where the target needs what cannot be done */
export function requirePossible({ check }: Pick<TargetSpec, 'check'>, icmpFault: string | undefined): void {
  if (icmpFault === undefined || !needsIcmp(check)) return;
  throw faultAt('TCN_INVALID', 'target', check.type === 'icmp' ? '/check/type' : '/check/active/type', icmpFault);
}
