export { CAPS } from './caps.js';
export { compile, type Expression } from './expression.js';
export { askFilter, checkFilter } from './filter.js';
export { jsonOf } from './json.js';
export { metered } from './meter.js';
export { ExpressionFault } from './syntax.js';
export { type Bindings, bindingsOf } from './variables.js';
