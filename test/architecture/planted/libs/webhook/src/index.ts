export const webhook = 'webhook';
