import { contracts } from '@tocsin/contracts';

export const found = contracts;
