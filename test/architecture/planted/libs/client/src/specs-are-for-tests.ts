import { expectation } from './expectation.harness.js';

export const found = expectation;
