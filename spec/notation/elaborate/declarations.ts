/** Declared types and constants, worked out when first named. */
import type { EnumType } from "../../../refinement/machine.js";
import { unreachable } from "../../../refinement/errors.js";
import { didYouMean } from "../diagnostics.js";
import type { Span, TypeNode } from "../syntax/ast.js";
import { coerce } from "./coerce.js";
import type { Context } from "./context.js";
import { evaluateConstant } from "./constants.js";
import { Scope } from "./scope.js";
import { MAX_COUNT, MAX_WIDTH, type NType, leaves } from "./types.js";
import { type Val, WRONG } from "./value.js";
import { PURE } from "./world.js";

/** The type that a type expression means; undefined after a mistake. */
export function typeOf(cx: Context, node: TypeNode): NType | undefined {
  cx.step();
  switch (node.kind) {
    case "bool":
      return { kind: "bool" };
    case "number":
      cx.report("E_TYPE", node.span, "`number`, a constant, is for parameters of functions alone; write bits(32), say");
      return undefined;
    case "bits": {
      const width = bounded(cx, node.width, MAX_WIDTH, "a width");
      return width === undefined ? undefined : { kind: "bits", width };
    }
    case "bytes": {
      const address = bounded(cx, node.address, MAX_WIDTH, "the width of an address");
      return address === undefined ? undefined : { kind: "memory", address };
    }
    case "enum":
      return enumOf(cx, node, "");
    case "record": {
      const names = new Set<string>();
      const fields: { name: string; type: NType }[] = [];
      for (const { name, type } of node.fields) {
        if (names.has(name.name)) cx.report("E_DUPLICATE", name.span, `the field \`${name.name}\` is declared twice`);
        names.add(name.name);
        const found = typeOf(cx, type);
        if (found === undefined) return undefined;
        fields.push({ name: name.name, type: found });
      }
      return { kind: "record", fields };
    }
    case "file": {
      const element = typeOf(cx, node.element);
      const count = bounded(cx, node.count, MAX_COUNT, "the number of elements");
      if (element === undefined || count === undefined) return undefined;
      if (element.kind === "trap" || leaves(element).some((l) => l.type.kind === "file" || l.type.kind === "memory")) {
        cx.report(
          "E_TYPE",
          node.span,
          "the elements of a file are scalars or records of scalars; use several files, or a wider index",
        );
        return undefined;
      }
      return { kind: "array", count, element };
    }
    case "named":
      return namedType(cx, node.name, node.span);
    default:
      return unreachable(node);
  }
}

function bounded(
  cx: Context,
  node: Parameters<typeof evaluateConstant>[1],
  most: number,
  what: string,
): number | undefined {
  const value = evaluateConstant(cx, node, what);
  if (value === undefined) return undefined;
  if (value < 1n || value > BigInt(most)) {
    cx.report("E_RANGE", node.span, `${what} is 1 to ${most}, not ${value}`);
    return undefined;
  }
  return Number(value);
}

function enumOf(cx: Context, node: Extract<TypeNode, { kind: "enum" }>, name: string): EnumType | undefined {
  const members = node.members.map((m) => m.name);
  if (new Set(members).size < members.length) {
    const twice = node.members.find((m, i) => members.indexOf(m.name) < i);
    cx.report("E_DUPLICATE", twice?.span ?? node.span, `the member \`${twice?.name ?? ""}\` stands twice`);
    return undefined;
  }
  return { kind: "enum", name, members };
}

export function namedType(cx: Context, name: string, span: Span): NType | undefined {
  const { world } = cx;
  if (world.knownTypes.has(name)) {
    const known = world.knownTypes.get(name);
    return known;
  }
  const declaration = world.types.get(name);
  if (declaration === undefined) {
    if (world.broken.has(name) || world.incomplete) return undefined;
    cx.report(
      "E_UNKNOWN",
      span,
      `unknown type \`${name}\`${didYouMean(name, [...world.types.keys(), "bool", "bits", "bytes", "enum", "record"])}`,
    );
    return undefined;
  }
  if (cx.typesInProgress.has(name)) {
    cx.report("E_RECURSION", span, `the type \`${name}\` contains itself`);
    return undefined;
  }
  cx.typesInProgress.add(name);
  const type = cx.inUnit(declaration.unit, new Scope(), () =>
    declaration.node.kind === "enum" ? enumOf(cx, declaration.node, name) : typeOf(cx, declaration.node),
  );
  cx.typesInProgress.delete(name);
  world.knownTypes.set(name, type);
  return type;
}

/** The declared enum of that name, without complaint if there is none. */
export function enumType(cx: Context, name: string): EnumType | undefined {
  if (!cx.world.types.has(name)) return undefined;
  const type = namedType(cx, name, { start: 0, end: 0 });
  return type?.kind === "enum" ? type : undefined;
}

export function constantValue(cx: Context, name: string, span: Span): Val {
  const { world } = cx;
  const known = world.knownConstants.get(name);
  if (known !== undefined) return known;
  const declaration = world.constants.get(name);
  if (declaration === undefined) return WRONG;
  if (cx.constantsInProgress.has(name))
    return cx.wrong("E_RECURSION", span, `the constant \`${name}\` is defined by itself`);
  cx.constantsInProgress.add(name);
  const inner = cx.declared(declaration.unit, PURE);
  inner.withoutState = true;
  const value = evaluateConstantBlock(inner, declaration);
  cx.constantsInProgress.delete(name);
  world.knownConstants.set(name, value);
  return value;
}

function evaluateConstantBlock(cx: Context, declaration: Parameters<typeof declarationType>[1]): Val {
  const type = declarationType(cx, declaration);
  const value = cx.evaluateBlock(declaration.block, type);
  if (type === undefined) return declaration.type === undefined ? value : WRONG;
  return coerce(cx, value, type, declaration.block.span, `the constant \`${declaration.name}\``) ?? WRONG;
}

function declarationType(
  cx: Context,
  declaration: NonNullable<ReturnType<Context["world"]["constants"]["get"]>>,
): NType | undefined {
  const { type } = declaration;
  if (type === undefined) return undefined;
  return cx.inUnit(type.unit, new Scope(), () => typeOf(cx, type.node));
}
