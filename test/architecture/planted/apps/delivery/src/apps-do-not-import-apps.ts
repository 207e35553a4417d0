import { eventrecorder } from '@tocsin/event-recorder';

export const found = eventrecorder;
