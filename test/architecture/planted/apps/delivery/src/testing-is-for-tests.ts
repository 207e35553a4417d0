import { testing } from '@tocsin/testing';

export const found = testing;
