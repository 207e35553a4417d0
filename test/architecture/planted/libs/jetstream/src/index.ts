export const jetstream = 'jetstream';
