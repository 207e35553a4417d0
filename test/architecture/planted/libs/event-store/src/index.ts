export const eventstore = 'event-store';
