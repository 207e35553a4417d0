import { platform } from '@tocsin/platform';

export const found = platform;
