import { jetstream } from '@tocsin/jetstream';

export const found = jetstream;
