import { forth } from './not-circular.js';

export const back = (): unknown => forth;
