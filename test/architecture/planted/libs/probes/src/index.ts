export const probes = 'probes';
