export { appendAll } from './append-all.js';
export { Broker, type BrokerOptions, type RequestOptions, type Serving } from './broker.js';
export { type DurableMessage, DurableReader } from './durable-reader.js';
export {
  type DurableSettings,
  type DurableState,
  EventDurables,
  type EventsStreamState,
  type SavedDurable,
} from './event-durables.js';
export { eventFilters } from './event-filters.js';
export { eventSubject } from './event-subject.js';
export type { EventsStreamOptions } from './events-stream.js';
export { followLog, type FollowOptions } from './follow-log.js';
export { FollowerMeter } from './follower-meter.js';
export type { KeyValue, KeyValueEntry, KeyValueOptions } from './key-value.js';
export type { Watch, WatchOptions } from './key-value-watch.js';
export { latestReader } from './latest-reader.js';
export { logReader, type LogPage } from './log-reader.js';
export { NatsTransport, TocsinErrorFilter, type NatsTransportOptions } from './nats-transport.js';
export { eventsStreamWindow, readEventsStream, type StreamEntry, type StreamWindow } from './read-events-stream.js';
export { PartGatherer } from './part-gatherer.js';
export { RelayPublisher, type RelayOptions, type RelayStatus } from './relay-publisher.js';
export type { RequestContext, ServeOptions } from './responder.js';
