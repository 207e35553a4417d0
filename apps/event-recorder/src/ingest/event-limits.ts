/**
 * Bytes one event may have as compact JSON: 256 KiB. What is delivered to a webhook may not be larger (POLICY.md § 2), and the
 * relayed message stays far below the 1 MiB that a NATS server takes by default.
 */
export const MAX_EVENT_BYTES = 256 * 1024;

/**
 * Bytes one event may have on its way into the log, whoever appends it: what was sent and what ingest fills in (subject, time,
 * trace context).
 */
export const MAX_STORED_EVENT_BYTES = MAX_EVENT_BYTES + 4 * 1024;

/** Events in one batch. */
export const MAX_BATCH_EVENTS = 1000;

/**
 * Bytes of all events of one request together as compact JSON: a batch is all or nothing, so it must fit into one message to the
 * leader, and a NATS server takes 1 MiB by default. The rest is room for the message around the events.
 */
export const MAX_REQUEST_BYTES = 896 * 1024;

/**
 * Levels of arrays and objects in one event. Validation and storage recurse; a document of `[[[[…` must cost a fault, not the
 * stack of the process.
 */
export const MAX_DEPTH = 64;
