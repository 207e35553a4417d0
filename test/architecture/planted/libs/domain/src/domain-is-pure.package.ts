import type { contracts } from '@tocsin/contracts';

export type Found = typeof contracts;
