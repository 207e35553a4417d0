export const tracing = 'tracing';
