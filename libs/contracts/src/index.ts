export * from './cloudevent.js';
export * from './health-event.js';
export * from './primitives.js';
export * from './problem.js';
export * from './registry-events.js';
export * from './rpc.js';
export * from './subscription.js';
export * from './target.js';
