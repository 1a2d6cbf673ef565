/** Calls: the built-in functions, functions of the machine (inlined), uninterpreted ones, traps as values. */
import * as build from "../../../refinement/terms/build.js";
import { didYouMean } from "../diagnostics.js";
import type { CallNode, Expression, TypeNode } from "../syntax/ast.js";
import { accessible, arity, BUILT_IN, extend, ofOperand, OPERAND_FUNCTIONS, toBits, toBool } from "./built-in.js";
import { coerce } from "./coerce.js";
import { type Context, MAX_CALLS, TooLarge } from "./context.js";
import { evaluateConstant } from "./constants.js";
import { runBody } from "./body.js";
import { typeOf } from "./declarations.js";
import { applicationOf, memoizedFunction } from "./memoized.js";
import { trapByName, trapValue } from "./names.js";
import { flexible } from "./operands.js";
import { Scope, type ValueBinding } from "./scope.js";
import { type NType, scalarSort } from "./types.js";
import { describe, type TypedValue, type Val, WRONG, integer, single, typed } from "./value.js";
import type { FunctionDeclaration, UninterpretedDeclaration } from "./world.js";

export function evaluateCall(cx: Context, node: CallNode, hint: NType | undefined): Val {
  const { name } = node.callee;
  switch (name) {
    case "sext":
    case "zext":
      return extend(cx, node, name, hint);
    case "bits":
      return toBits(cx, node);
    case "bool":
      return toBool(cx, node);
    case "accessible":
      return accessible(cx, node);
    default:
  }
  if (hint?.kind === "trap") {
    const trap = trapByName(hint, name);
    if (trap !== undefined && trap !== "none") {
      const args = typedArguments(cx, node, trap.parameters);
      return args === undefined ? WRONG : trapValue(cx, hint, name, args, node.span);
    }
  }
  const declared = cx.world.functions.get(name);
  if (declared !== undefined) return declared.memoized ? applyMemoized(cx, node, declared) : inline(cx, node, declared);
  const uninterpreted = cx.world.uninterpreted.get(name);
  if (uninterpreted !== undefined) return apply(cx, node, uninterpreted);
  if (OPERAND_FUNCTIONS.some((f) => f === name)) return ofOperand(cx, node);
  if (trapByName(cx.world.trap ?? NO_TRAPS, name) !== undefined)
    return cx.wrong("E_TYPE", node.span, `\`${name}\` is a trap: \`raise ${cx.text(node.span)}\` raises it`);
  for (const a of node.arguments) cx.evaluate(a, undefined);
  if (cx.world.broken.has(name) || cx.world.incomplete) return WRONG;
  const known = [...cx.world.functions.keys(), ...cx.world.uninterpreted.keys(), ...BUILT_IN, ...OPERAND_FUNCTIONS];
  return cx.wrong("E_UNKNOWN", node.callee.span, `unknown function \`${name}\`${didYouMean(name, known)}`);
}

const NO_TRAPS = {
  kind: "trap",
  table: { traps: [], code: { kind: "enum", name: "trap", members: [] }, width: 1 },
} as const;

function typedArguments(
  cx: Context,
  node: CallNode,
  parameters: readonly { readonly name: string; readonly type: NType }[],
): readonly TypedValue[] | undefined {
  const names = parameters.map((p) => p.name).join(", ");
  if (!arity(cx, node, parameters.length, `${node.callee.name}(${names})`)) return undefined;
  const values: TypedValue[] = [];
  node.arguments.forEach((argument, i) => {
    const parameter = parameters[i];
    if (parameter === undefined) return;
    const value = coerce(
      cx,
      cx.evaluate(argument, parameter.type),
      parameter.type,
      argument.span,
      `\`${parameter.name}\` of \`${node.callee.name}\``,
    );
    if (value !== undefined) values.push(value);
  });
  return values.length === parameters.length ? values : undefined;
}

function apply(cx: Context, node: CallNode, declaration: UninterpretedDeclaration): Val {
  const args = typedArguments(
    cx,
    node,
    declaration.parameters.map((type, i) => ({ name: `argument ${i + 1}`, type })),
  );
  if (args === undefined) return WRONG;
  return typed(declaration.result, build.apply(declaration.name, scalarSort(declaration.result), args.map(single)));
}

function applyMemoized(cx: Context, node: CallNode, f: FunctionDeclaration): Val {
  if (cx.world.recursive.has(f.name)) return WRONG;
  const memoized = memoizedFunction(cx, f);
  const args = memoized === undefined ? undefined : typedArguments(cx, node, memoized.parameters);
  if (memoized === undefined || args === undefined) return WRONG;
  return applicationOf(cx, memoized, args.map(single));
}

/** Names in a signature's widths that no parameter or constant of the machine has: they take the arguments' widths. */
function genericNames(cx: Context, f: FunctionDeclaration): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (type: TypeNode): void => {
    if (type.kind === "bits" && type.width.kind === "name") {
      const { name } = type.width;
      if (!f.unit.parameters.has(name) && !cx.world.constants.has(name)) names.add(name);
    } else if (type.kind === "file") {
      visit(type.element);
    }
  };
  for (const p of f.signature.parameters) visit(p.type);
  return names;
}

/** What the body means depends on the widths or the numbers of a call. */
export function isGeneric(cx: Context, f: FunctionDeclaration): boolean {
  return genericNames(cx, f).size > 0 || f.signature.parameters.some((p) => p.type.kind === "number");
}

function bindGenerics(type: TypeNode, found: NType, open: ReadonlySet<string>, scope: Scope): void {
  if (type.kind === "bits" && type.width.kind === "name" && open.has(type.width.name) && found.kind === "bits") {
    scope.define(type.width.name, { kind: "value", value: integer(BigInt(found.width)), what: "a width" });
  } else if (type.kind === "file" && found.kind === "array") {
    bindGenerics(type.element, found.element, open, scope);
  }
}

function inline(cx: Context, node: CallNode, f: FunctionDeclaration): Val {
  const { parameters } = f.signature;
  if (!arity(cx, node, parameters.length, `${f.name}(${parameters.map((p) => p.name.name).join(", ")})`)) return WRONG;
  if (cx.world.recursive.has(f.name)) return WRONG;
  if (cx.depth > MAX_CALLS) throw new TooLarge();
  const widths = new Scope();
  const open = genericNames(cx, f);
  const values: (Val | undefined)[] = node.arguments.map(() => undefined);
  const uses: (ValueBinding["use"] | undefined)[] = node.arguments.map(() => undefined);
  // Arguments that have a width of their own say what the open widths are.
  if (open.size > 0) {
    node.arguments.forEach((argument, i) => {
      const parameter = parameters[i];
      if (parameter === undefined || !mentions(parameter.type, open) || flexible(cx, argument)) return;
      const probed = cx.probe(() => cx.evaluate(argument, undefined));
      if (probed.kind === "typed") bindGenerics(parameter.type, probed.type, open, widths);
    });
  }
  node.arguments.forEach((argument, i) => {
    const parameter = parameters[i];
    if (parameter === undefined) return;
    if (parameter.type.kind === "number") {
      const constant = evaluateConstant(cx, argument, `\`${parameter.name.name}\` of \`${f.name}\``);
      values[i] = constant === undefined ? WRONG : integer(constant);
      widths.define(parameter.name.name, { kind: "value", value: values[i] ?? WRONG, what: "a number" });
      return;
    }
    const isOpen = !bound(parameter.type, open, widths);
    const type = isOpen ? undefined : parameterType(cx, f, parameter.type, widths);
    const value = argumentValue(cx, argument, type, uses, i);
    const what = `\`${parameter.name.name}\` of \`${f.name}\``;
    if (type !== undefined) {
      values[i] = coerce(cx, value, type, argument.span, what) ?? WRONG;
    } else if (isOpen && value.kind === "int") {
      values[i] = openWidth(cx, argument);
    } else {
      if (isOpen && value.kind !== "wrong")
        cx.report("E_TYPE", argument.span, `${what} wants bits; \`${cx.text(argument.span)}\` is ${describe(value)}`);
      values[i] = WRONG;
    }
  });
  // An argument in error leaves a width open, and has been reported.
  if ([...open].some((name) => widths.get(name) === undefined) && values.some((v) => v?.kind === "wrong")) return WRONG;
  const scope = new Scope(widths);
  parameters.forEach((p, i) => {
    const use = uses[i];
    scope.define(p.name.name, {
      kind: "value",
      value: values[i] ?? WRONG,
      what: `a parameter of \`${f.name}\``,
      ...(use === undefined ? {} : { use }),
    });
  });
  return runBody(cx, f, scope, widths);
}

function openWidth(cx: Context, argument: Expression): Val {
  const text = cx.text(argument.span);
  return cx.wrong("E_CONTEXT", argument.span, `the width of \`${text}\` is open: write it with its width, as in 32'd1`);
}

function argumentValue(
  cx: Context,
  argument: Expression,
  type: NType | undefined,
  uses: (ValueBinding["use"] | undefined)[],
  i: number,
): Val {
  const binding = argument.kind === "name" ? cx.scope.get(argument.name) : undefined;
  if (binding?.kind === "value" && binding.use !== undefined) {
    // An operand passed on: how the function uses it counts.
    uses[i] = binding.use;
    return binding.value;
  }
  return cx.evaluate(argument, type);
}

function parameterType(cx: Context, f: FunctionDeclaration, type: TypeNode, widths: Scope): NType | undefined {
  return cx.inUnit(f.unit, widths, () => typeOf(cx, type));
}

function mentions(type: TypeNode, names: ReadonlySet<string>): boolean {
  if (type.kind === "bits") return type.width.kind === "name" && names.has(type.width.name);
  return type.kind === "file" && mentions(type.element, names);
}

function bound(type: TypeNode, names: ReadonlySet<string>, widths: Scope): boolean {
  if (type.kind === "bits")
    return type.width.kind !== "name" || !names.has(type.width.name) || widths.get(type.width.name) !== undefined;
  return type.kind !== "file" || bound(type.element, names, widths);
}
