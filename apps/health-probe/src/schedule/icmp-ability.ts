import { PROBE_RPC } from '@tocsin/contracts';
import type { Broker, Serving } from '@tocsin/jetstream';
import { icmpFault } from '@tocsin/probes';
import { z } from 'zod';

/** Answers whether ICMP checks can be made; the helper is tried once. */
export function serveIcmp(broker: Pick<Broker, 'serve'>, ping: string): Serving {
  const fault = icmpFault(ping);
  return broker.serve(PROBE_RPC.icmp, {
    ...{ queue: 'health-probe', schema: z.object({}) },
    handle: async () => {
      const reason = await fault;
      return reason === undefined ? {} : { reason };
    },
  });
}
