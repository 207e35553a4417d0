import { expect } from 'vitest';

export const found = expect;
