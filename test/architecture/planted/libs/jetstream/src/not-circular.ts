import { back } from './not-circular.back.js';

export const forth = () => back();
