import { delivery } from '@tocsin/delivery';

export const found = delivery;
