import { z } from 'zod';

export const found = z;
