import type { Scenario } from '../harness/scenario.js';
import { KILLS } from './kills.js';
import { MANY_NODES } from './many.js';
import { RANDOM_KILLS } from './random-kills.js';
import { RECEIVERS } from './receivers.js';
import { REPLICAS } from './replicas.js';
import { SERVERS } from './servers.js';

/** Every scenario, in the order of the table. */
export const SCENARIOS: readonly Scenario[] = [
  ...RECEIVERS,
  ...KILLS,
  ...MANY_NODES,
  ...REPLICAS,
  ...SERVERS,
  ...RANDOM_KILLS,
];
