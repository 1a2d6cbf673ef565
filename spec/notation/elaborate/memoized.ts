/** Memoized functions: elaborated once, over their parameters and the state before, and applied by name from then on. */
import type { ScalarType } from "../../../refinement/machine.js";
import { bits } from "../../../refinement/terms/sort.js";
import * as build from "../../../refinement/terms/build.js";
import { define } from "../../../refinement/terms/definitions.js";
import type { Term } from "../../../refinement/terms/term.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import { runBody } from "./body.js";
import type { Context } from "./context.js";
import { typeOf } from "./declarations.js";
import { Scope } from "./scope.js";
import { type Leaf, isScalar, leaves, scalarSort, scalarWidth, typeToString } from "./types.js";
import { type TypedValue, type Val, WRONG } from "./value.js";
import { type FunctionDeclaration, type MemoizedFunction, PURE } from "./world.js";

/** The function, elaborated when first called; undefined after a mistake. */
export function memoizedFunction(cx: Context, f: FunctionDeclaration): MemoizedFunction | undefined {
  const { memoized } = cx.world;
  if (memoized.has(f.name)) return memoized.get(f.name);
  if (cx.world.recursive.has(f.name)) return undefined;
  const found = elaborated(cx.declared(f.unit, PURE), f);
  memoized.set(f.name, found);
  return found;
}

function elaborated(cx: Context, f: FunctionDeclaration): MemoizedFunction | undefined {
  const parameters: MemoizedFunction["parameters"][number][] = [];
  const scope = new Scope();
  const variables: Term[] = [];
  for (const { name, type } of f.signature.parameters) {
    const found = typeOf(cx, type);
    if (found === undefined) return undefined;
    if (!isScalar(found)) {
      cx.report("E_MEMOIZED", type.span, `a memoized function takes bits, bool or an enum, not ${typeToString(found)}`);
      return undefined;
    }
    const term = build.variable(`${f.name}(${name.name})`, scalarSort(found));
    variables.push(term);
    parameters.push({ name: name.name, type: found });
    const value: TypedValue = { kind: "typed", type: found, terms: [term] };
    if (!scope.define(name.name, { kind: "value", value, what: `a parameter of \`${f.name}\`` }))
      cx.report("E_DUPLICATE", name.span, `the parameter \`${name.name}\` stands twice`);
  }
  const { result } = f.signature;
  if (result === undefined) {
    cx.report("E_MEMOIZED", f.signature.span, `a memoized function has a value; give \`${f.name}\` a result type`);
    return undefined;
  }
  const type = typeOf(cx, result);
  if (type === undefined) return undefined;
  if (leaves(type).some((leaf) => scalarOf(leaf) === undefined)) {
    const found = typeToString(type);
    cx.report("E_MEMOIZED", result.span, `a memoized function gives scalars or a record of them, not ${found}`);
    return undefined;
  }
  const value = runBody(cx, f, scope, new Scope());
  if (value.kind !== "typed") return undefined;
  const body = packed(value);
  const reads: string[] = [];
  const states: Term[] = [];
  const free = freeVariables(body);
  for (const declaration of cx.world.state.values()) {
    for (const [key, term] of declaration.terms) {
      if (!free.has(term)) continue;
      reads.push(key);
      states.push(term);
    }
  }
  return { name: define(f.name, [...variables, ...states], variables.length, body), parameters, result: type, reads };
}

function scalarOf({ type }: Leaf): ScalarType | undefined {
  return type.kind === "file" || type.kind === "memory" ? undefined : type;
}

/** All leaves side by side, the first one highest: a function has one term for a value. */
function packed(value: TypedValue): Term {
  const parts = value.terms.map((term) => (term.sort.kind === "bool" ? build.boolToBits(term) : term));
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : build.concat(...parts);
}

/** The function on arguments, and on the state as it is at this point. */
export function applicationOf(cx: Context, { name, result, reads }: MemoizedFunction, args: readonly Term[]): Val {
  const states: Term[] = [];
  for (const key of reads) {
    const term = cx.store.get(key);
    if (term === undefined) return WRONG;
    states.push(term);
  }
  const types = leaves(result).flatMap((leaf) => scalarOf(leaf) ?? []);
  const total = types.reduce((sum, type) => sum + scalarWidth(type), 0);
  const whole = build.apply(name, bits(total), [...args, ...states]);
  let top = total;
  const terms = types.map((type) => {
    const part = build.extract(whole, top - 1, top - scalarWidth(type));
    top -= scalarWidth(type);
    return type.kind === "bool" ? build.bitsToBool(part) : part;
  });
  return { kind: "typed", type: result, terms };
}
