import {
  keySpecSchema,
  keyViewSchema,
  maintenanceSpecSchema,
  maintenanceViewSchema,
  replaySpecSchema,
  subscriptionSpecSchema,
  subscriptionViewSchema,
  targetSpecSchema,
  targetViewSchema,
} from '@tocsin/contracts';
import {
  type Key,
  type KeySpec,
  type Maintenance,
  type MaintenanceSpec,
  MessageCodec,
  type Outcome as OutcomeMessage,
  type Replay,
  type Subscription,
  type SubscriptionSpec,
  type Target,
  type TargetSpec,
} from '@tocsin/grpc-contracts';
import type { Outcome } from '../log/outcome.js';

export const TARGET_SPEC = new MessageCodec<TargetSpec>(targetSpecSchema, 'TargetSpec');
export const TARGET = new MessageCodec<Target>(targetViewSchema, 'Target');
export const SUBSCRIPTION_SPEC = new MessageCodec<SubscriptionSpec>(subscriptionSpecSchema, 'SubscriptionSpec');
export const SUBSCRIPTION = new MessageCodec<Subscription>(subscriptionViewSchema, 'Subscription');
export const REPLAY = new MessageCodec<Replay>(replaySpecSchema, 'Replay');
export const MAINTENANCE_SPEC = new MessageCodec<MaintenanceSpec>(maintenanceSpecSchema, 'MaintenanceSpec');
export const MAINTENANCE = new MessageCodec<Maintenance>(maintenanceViewSchema, 'Maintenance');
export const KEY_SPEC = new MessageCodec<KeySpec>(keySpecSchema, 'KeySpec');
export const KEY = new MessageCodec<Key>(keyViewSchema, 'Key');

/** What a write did, as messages spell it. */
export function outcomeMessage(outcome: Outcome): OutcomeMessage {
  return `OUTCOME_${outcome.toUpperCase()}` as OutcomeMessage;
}
