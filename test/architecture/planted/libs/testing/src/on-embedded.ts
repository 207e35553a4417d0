import { embedded } from '@tocsin/embedded';

export const found = embedded;
