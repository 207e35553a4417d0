export const cel = 'cel';
