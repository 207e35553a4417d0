export const embedded = 'embedded';
