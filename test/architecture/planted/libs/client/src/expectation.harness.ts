import { expect } from 'vitest';

export const expectation = expect;
