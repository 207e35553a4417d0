import { inside } from '@tocsin/webhook/src/inside.js';

export const found = inside;
