/** What a name stands for. */
import * as build from "../../../refinement/terms/build.js";
import { argumentCount, didYouMean } from "../diagnostics.js";
import type { Span } from "../syntax/ast.js";
import type { Context } from "./context.js";
import { constantValue } from "./declarations.js";
import { readOperand } from "./operand.js";
import { placeOf, readPlace } from "./places.js";
import { type NType, type TrapType, sameType, scalarWidth } from "./types.js";
import { type TypedValue, type Val, WRONG, typed } from "./value.js";

export function evaluateName(cx: Context, name: string, span: Span, hint: NType | undefined): Val {
  // Where a trap or a member of an enum is wanted, its name means that, unless a variable of that very type has it.
  if (hint?.kind === "trap" && name !== "trap") {
    const trap = trapByName(hint, name);
    if (trap !== undefined) return trapValue(cx, hint, name, [], span);
  }
  if (hint?.kind === "enum" && hint.members.includes(name) && !nameHasType(cx, name, hint))
    return enumMember(hint, name);

  const binding = cx.scope.get(name);
  if (binding?.kind === "value") {
    if (binding.use !== undefined) binding.use.otherwise = true;
    return binding.value;
  }
  if (binding?.kind === "operand") {
    const { operand } = binding;
    if (operand.kind === "memory" && operand.width === 0)
      return cx.wrong("E_TYPE", span, `\`${name}\` is an address; its place is not read`);
    return readOperand(cx, operand);
  }
  const place = placeOf(cx, { kind: "name", name, span });
  if (place.kind === "place") return readPlace(cx, place.place);
  if (place.kind === "wrong") return WRONG;
  const parameter = cx.unit.parameters.get(name);
  if (parameter !== undefined) return parameter;
  if (cx.world.constants.has(name)) return constantValue(cx, name, span);
  const enums = cx.world.members.get(name) ?? [];
  const [only] = enums;
  if (only !== undefined) {
    if (enums.length === 1) return enumMember(only, name);
    const choices = enums.map((e) => `${e.name || "…"}.${name}`).join(" or ");
    return cx.wrong("E_AMBIGUOUS", span, `\`${name}\` is a member of ${enums.length} enums; write ${choices}`);
  }
  if (cx.world.functions.has(name) || cx.world.uninterpreted.has(name))
    return cx.wrong("E_UNKNOWN", span, `\`${name}\` is a function; call it: ${name}(…)`);
  if (cx.world.types.has(name)) return cx.wrong("E_UNKNOWN", span, `\`${name}\` is a type, not a value`);
  return unknownName(cx, name, span, "");
}

/** Reports an unknown name, unless a declaration in error may be to blame. */
export function unknownName(cx: Context, name: string, span: Span, remedy: string): Val {
  if (cx.world.broken.has(name) || cx.world.incomplete) return WRONG;
  if (cx.depth === 0 && cx.fields?.has(name))
    return cx.wrong(
      "E_FIELD",
      span,
      `no bit of this instruction's encoding defines the field \`${name}\`, which other instructions have`,
    );
  return cx.wrong("E_UNKNOWN", span, `unknown name \`${name}\`${didYouMean(name, knownNames(cx)) || remedy}`);
}

function nameHasType(cx: Context, name: string, type: NType): boolean {
  const binding = cx.scope.get(name);
  if (binding?.kind === "cell") return sameType(binding.type, type);
  if (binding?.kind === "operand") return false;
  if (binding !== undefined) return binding.value.kind === "typed" && sameType(binding.value.type, type);
  const state = cx.world.state.get(name);
  return state !== undefined && sameType(state.type, type);
}

function knownNames(cx: Context): string[] {
  return [
    ...cx.scope.known(),
    ...cx.world.state.keys(),
    ...cx.unit.parameters.keys(),
    ...cx.world.constants.keys(),
    ...cx.world.members.keys(),
    ...cx.world.functions.keys(),
  ];
}

export function enumMember(type: Extract<NType, { kind: "enum" }>, name: string): TypedValue {
  return typed(type, build.constant(scalarWidth(type), BigInt(type.members.indexOf(name))));
}

/** The trap of that name with its parameters; `none` has no parameters. */
export function trapByName(type: TrapType, name: string): TrapType["table"]["traps"][number] | "none" | undefined {
  return name === "none" ? "none" : type.table.traps.find((t) => t.name === name);
}

/** A value of a trap's type: which trap, and its arguments packed, the last one lowest. */
export function trapValue(cx: Context, type: TrapType, name: string, args: readonly TypedValue[], span: Span): Val {
  const trap = trapByName(type, name);
  const codeWidth = scalarWidth(type.table.code);
  if (trap === undefined || trap === "none")
    return typed(type, build.constant(codeWidth, 0n), build.constant(type.table.width, 0n));
  if (args.length !== trap.parameters.length) {
    return cx.wrong(
      "E_ARGUMENTS",
      span,
      `the trap \`${name}\` takes ${argumentCount(trap.parameters)}, not ${args.length}`,
    );
  }
  return typed(type, build.constant(codeWidth, BigInt(trap.code)), packTrap(type, args));
}

function packTrap(type: TrapType, args: readonly TypedValue[]): ReturnType<typeof build.constant> {
  const parts = args.flatMap((a) => a.terms.map((t) => (t.sort.kind === "bool" ? build.boolToBits(t) : t)));
  const [first] = parts;
  if (first === undefined) return build.constant(type.table.width, 0n);
  const packed = parts.length === 1 ? first : build.concat(...parts);
  return build.zext(packed, type.table.width);
}
