export { createProgram } from './command-line/program.js';
export { tocsinYamlJsonSchema } from './declarations/json-schema.js';
