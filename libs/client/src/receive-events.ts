// The entry `@tocsin/client/receive`: for programs that are sent webhooks. Loads nothing that speaks NATS.
export { EventReceiver, type Received, type ReceivedContext, type ReceiverOptions } from './receive/event-receiver.js';
export { type DeliveryRequest, httpHandler, type HttpHandlerOptions } from './receive/http-handler.js';
export { type Inbox, MemoryInbox } from './receive/inbox.js';
export { type PostgresClient, PostgresInbox, type PostgresPool } from './receive/postgres-inbox.js';
export { DeliveryRefused, type RefusalReason } from './receive/refusal.js';
export type { DeliveryHeaders, VerifiedDelivery } from './receive/verify-delivery.js';
export type { TocsinEvent } from './tocsin-event.js';
