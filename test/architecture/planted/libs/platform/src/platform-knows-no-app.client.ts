import { client } from '@tocsin/client';

export const found = client;
