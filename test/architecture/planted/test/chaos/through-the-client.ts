import { client } from '@tocsin/client';
import { testing } from '@tocsin/testing';

export const found = [client, testing];
