import { domain } from '../../domain/src/index.js';

export const found = domain;
