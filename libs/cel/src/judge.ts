import { CAPS } from './caps.js';
import { functionNames, LOOP_RANGE, overloadsOf } from './environment.js';
import { checkPattern } from './patterns.js';
import { type Expr, type ExpressionFault, faultAt, type Parsed } from './syntax.js';
import { comparable, fits, type Kind, kindOf, TYPE_NAMES } from './types.js';
import { ATTRIBUTES, VARIABLES } from './variables.js';

/** How operators are called in messages; the evaluator's names for them are `_<_` and the like. */
const OPERATOR = /^(?:_(.+)_|(!|-)_|@(in))$/;
/** What one item of a loop costs for every two operations in its body, besides what its functions cost. */
const OPERATIONS_A_UNIT = 2;

type CallExpr = Extract<Expr['exprKind'], { case: 'callExpr' }>['value'];
type LoopExpr = Extract<Expr['exprKind'], { case: 'comprehensionExpr' }>['value'];
type SelectExpr = Extract<Expr['exprKind'], { case: 'selectExpr' }>['value'];

/** Names within a loop, and how deep it is. */
interface Scope {
  readonly names: Readonly<Record<string, Kind>>;
  readonly depth: number;
  readonly loops: number;
}

/**
 * Judges an expression before it is ever evaluated: caps, names, functions, types as far as they can be known, patterns. The
 * evaluator itself checks nothing of that beforehand. Puts the charge for its items into every loop.
 */
export class Judge {
  #nodes = 0;

  constructor(
    private readonly text: string,
    private readonly parsed: Parsed,
  ) {}

  /** The kind of value it gives. @throws ExpressionFault at the first thing that cannot be */
  kind(): Kind {
    return this.#kindOf(this.parsed.expr, { names: VARIABLES, depth: 0, loops: 0 });
  }

  #kindOf(expr: Expr | undefined, outer: Scope): Kind {
    if (expr === undefined) return 'any';
    const scope = { ...outer, depth: outer.depth + 1 };
    this.#nodes += 1;
    if (this.#nodes > CAPS.nodes) throw this.#fault(expr, `has more than ${CAPS.nodes} operations, names and literals`);
    if (scope.depth > CAPS.depth) throw this.#fault(expr, `is nested more than ${CAPS.depth} levels deep`);
    const { exprKind } = expr;
    switch (exprKind.case) {
      case 'constExpr':
        return constantKind(exprKind.value.constantKind.case);
      case 'identExpr':
        return this.#nameKind(expr, exprKind.value.name, scope);
      case 'selectExpr':
        return this.#selectKind(expr, exprKind.value, scope);
      case 'callExpr':
        return this.#callKind(expr, exprKind.value, scope);
      case 'listExpr':
        for (const element of exprKind.value.elements) this.#kindOf(element, scope);
        return 'list';
      case 'structExpr':
        if (exprKind.value.messageName !== '') throw this.#fault(expr, 'messages are not available: only maps are');
        for (const { keyKind, value } of exprKind.value.entries) {
          if (keyKind.case === 'mapKey') this.#kindOf(keyKind.value, scope);
          this.#kindOf(value, scope);
        }
        return 'map';
      case 'comprehensionExpr':
        return this.#loopKind(expr, exprKind.value, scope);
      case undefined:
        throw this.#fault(expr, 'is not a CEL expression');
    }
  }

  #nameKind(expr: Expr, name: string, { names }: Scope): Kind {
    // A leading dot means the outermost scope.
    const kind = Object.hasOwn(names, name) ? names[name] : undefined;
    if (kind !== undefined) return kind;
    if (TYPE_NAMES.includes(name)) return 'type';
    const known = Object.keys(VARIABLES).join(', ');
    throw this.#fault(expr, `there is no "${name}"; an expression sees ${known}`);
  }

  #selectKind(expr: Expr, { operand, field }: SelectExpr, scope: Scope): Kind {
    const kind = this.#kindOf(operand, scope);
    if (!fits(kind, 'map')) throw this.#fault(expr, `has a field "${field}" asked of a ${kind}, which has none`);
    return this.#fieldKind(operand, field, scope);
  }

  /** What is known of a field of the event itself. */
  #fieldKind(operand: Expr | undefined, field: string, { names }: Scope): Kind {
    if (operand?.exprKind.case !== 'identExpr' || names !== VARIABLES) return 'any';
    const { name } = operand.exprKind.value;
    if (name === 'labels') return 'string';
    return name === 'event' && Object.hasOwn(ATTRIBUTES, field) ? (ATTRIBUTES[field] ?? 'any') : 'any';
  }

  #callKind(expr: Expr, call: CallExpr, scope: Scope): Kind {
    const target = call.target === undefined ? undefined : this.#kindOf(call.target, scope);
    const args = call.args.map((arg) => this.#kindOf(arg, scope));
    const [first = 'any', second = 'any', third = 'any'] = args;
    switch (call.function) {
      case '_&&_':
      case '_||_':
        for (const [index, kind] of args.entries()) this.#wants('bool', kind, call.args[index] ?? expr, nameOf(call));
        return 'bool';
      case '@not_strictly_false':
        return 'bool';
      case '_?_:_':
        this.#wants('bool', first, call.args[0] ?? expr, '?:');
        return second === third ? second : 'any';
      case '_[_]':
        if (!fits(first, 'list') && !fits(first, 'map')) throw this.#fault(expr, `has an index asked of a ${first}`);
        return this.#indexKind(call, scope);
      case '_==_':
      case '_!=_':
        if (!comparable(first, second))
          throw this.#fault(expr, `compares ${first} with ${second}, which are never equal`);
        return 'bool';
      case 'matches':
        this.#checkPattern(expr, call);
        break;
    }
    return this.#overloadKind(expr, call, target, args);
  }

  #indexKind({ args: [operand, index] }: CallExpr, scope: Scope): Kind {
    const constant = index?.exprKind.case === 'constExpr' ? index.exprKind.value.constantKind : undefined;
    return constant?.case === 'stringValue' ? this.#fieldKind(operand, constant.value, scope) : 'any';
  }

  #overloadKind(expr: Expr, call: CallExpr, target: Kind | undefined, args: readonly Kind[]): Kind {
    const overloads = overloadsOf(call.function);
    if (overloads.length === 0 || call.function === LOOP_RANGE) {
      const what = ['map', 'filter'].includes(call.function) ? 'it makes lists; all, exists and exists_one are' : '';
      const instead = what === '' ? `there are ${functionNames().join(', ')}` : what;
      throw this.#fault(expr, `there is no function "${call.function}"; ${instead}`);
    }
    const fitting = overloads.filter(
      (one) =>
        (one.target === undefined ? target === undefined : target !== undefined && fits(target, kindOf(one.target))) &&
        one.arguments.length === args.length &&
        one.arguments.every((wanted, index) => fits(args[index] ?? 'any', kindOf(wanted))),
    );
    if (fitting.length === 0) {
      const given = `${target === undefined ? '' : `${target}.`}(${args.join(', ')})`;
      throw this.#fault(expr, `${nameOf(call)} does not take ${given}`);
    }
    const results = new Set(fitting.map(({ result }) => kindOf(result)));
    const [only] = results;
    return results.size === 1 && only !== undefined ? only : 'any';
  }

  /** Only a pattern that is written out can be looked at beforehand. */
  #checkPattern(expr: Expr, { args }: CallExpr): void {
    const pattern = args[0]?.exprKind;
    const constant = pattern?.case === 'constExpr' ? pattern.value.constantKind : undefined;
    if (constant?.case !== 'stringValue') throw this.#fault(args[0] ?? expr, 'matches() wants its pattern written out');
    try {
      checkPattern(constant.value);
    } catch (error) {
      throw this.#fault(args[0] ?? expr, error instanceof Error ? error.message : 'is not a pattern');
    }
  }

  #loopKind(expr: Expr, loop: LoopExpr, scope: Scope): Kind {
    const range = this.#kindOf(loop.iterRange, scope);
    if (!fits(range, 'list') && !fits(range, 'map')) throw this.#fault(expr, `loops over a ${range}`);
    if (loop.accuInit?.exprKind.case === 'listExpr') {
      // Building lists is quadratic in this evaluator.
      throw this.#fault(expr, 'map and filter are not available; all, exists and exists_one are');
    }
    if (scope.loops >= CAPS.loops) throw this.#fault(expr, `loops are nested more than ${CAPS.loops} deep`);
    if (Object.hasOwn(VARIABLES, loop.iterVar)) {
      throw this.#fault(expr, `"${loop.iterVar}" means something already; call the item of the loop otherwise`);
    }
    const before = this.#nodes;
    const accumulated = this.#kindOf(loop.accuInit, scope);
    const inner = {
      names: { ...scope.names, [loop.iterVar]: 'any' as const, [loop.accuVar]: accumulated },
      depth: scope.depth,
      loops: scope.loops + 1,
    };
    this.#kindOf(loop.loopCondition, inner);
    this.#kindOf(loop.loopStep, inner);
    const kind = this.#kindOf(loop.result, inner);
    loop.iterRange = charging(loop.iterRange, Math.ceil((this.#nodes - before) / OPERATIONS_A_UNIT));
    return kind;
  }

  #wants(wanted: Kind, given: Kind, expr: Expr, by: string): void {
    if (!fits(given, wanted)) throw this.#fault(expr, `${by} wants a ${wanted}, this is a ${given}`);
  }

  #fault(expr: Expr, detail: string): ExpressionFault {
    const offset = this.parsed.sourceInfo?.positions[expr.id.toString()] ?? 0;
    return faultAt(this.text, offset, detail);
  }
}

function charging(range: Expr | undefined, perItem: number): Expr | undefined {
  if (range === undefined) return undefined;
  const constant: Expr = {
    ...range,
    exprKind: {
      case: 'constExpr',
      value: { $typeName: 'cel.expr.Constant', constantKind: { case: 'int64Value', value: BigInt(perItem) } },
    },
  };
  return {
    ...range,
    exprKind: {
      case: 'callExpr',
      value: { $typeName: 'cel.expr.Expr.Call', function: LOOP_RANGE, args: [range, constant] },
    },
  };
}

function nameOf({ function: name }: CallExpr): string {
  const operator = OPERATOR.exec(name);
  return operator === null ? `${name}()` : (operator[1] ?? operator[2] ?? operator[3] ?? name);
}

function constantKind(
  constant: Extract<Expr['exprKind'], { case: 'constExpr' }>['value']['constantKind']['case'],
): Kind {
  switch (constant) {
    case 'boolValue':
      return 'bool';
    case 'bytesValue':
      return 'bytes';
    case 'doubleValue':
      return 'double';
    case 'int64Value':
      return 'int';
    case 'uint64Value':
      return 'uint';
    case 'stringValue':
      return 'string';
    case 'nullValue':
      return 'null';
    default:
      return 'any';
  }
}
