import { postgres } from '@tocsin/postgres';

export const found = postgres;
