import pg from 'pg';

export const found = pg;
