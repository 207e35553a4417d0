import { delivery } from '@tocsin/delivery';
import { embedded } from '@tocsin/embedded';

export const found = [delivery, embedded];
