import type { Two } from './by-type-two.js';

export const one = (two: Two) => two;
