import { inside } from '../../../libs/webhook/src/inside.js';

export const found = inside;
