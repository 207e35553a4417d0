export const eventrecorder = 'event-recorder';
