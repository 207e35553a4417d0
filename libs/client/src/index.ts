export { ApiClient, type ApiClientOptions, type CallOptions } from './api-client.js';
