import { contracts } from '@tocsin/contracts';
import { postgres } from '@tocsin/postgres';

export const found = [contracts, postgres];
