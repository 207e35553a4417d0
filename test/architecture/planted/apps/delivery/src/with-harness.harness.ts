import { embedded } from '@tocsin/embedded';
import { testing } from '@tocsin/testing';

export const found = [embedded, testing];
