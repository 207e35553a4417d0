export const tocsin = 'tocsin';
