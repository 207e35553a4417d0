import { one } from './by-type.js';

export type Two = string;
export const two = one('two');
