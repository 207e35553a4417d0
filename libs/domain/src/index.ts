export * from './clock.js';
export * from './duration.js';
export * from './errors.js';
export * from './event.js';
export * from './ids.js';
export * from './json.js';
export * from './match.js';
export * from './type-pattern.js';
