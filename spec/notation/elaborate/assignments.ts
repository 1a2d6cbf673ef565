/** Assignments to variables and to parts of them. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { unreachable } from "../../../refinement/errors.js";
import type { AssignStatement, Expression } from "../syntax/ast.js";
import { coerce } from "./coerce.js";
import type { Context } from "./context.js";
import { faultUnless, memoryAccess, sliceBounds } from "./parts.js";
import { unknownName } from "./names.js";
import { type OperandPlace, writeOperand } from "./operand.js";
import { type Place, placeOf, readPlace, writePlace } from "./places.js";
import { bitsType } from "./types.js";
import { type TypedValue, single, typed } from "./value.js";

/** `place = e`, where the place may be a slice, a bit or bytes of memory. */
export function assign(cx: Context, node: AssignStatement): void {
  const { target } = node;
  const binding = target.kind === "name" ? cx.scope.get(target.name) : undefined;
  if (binding?.kind === "operand") {
    assignOperand(cx, node, binding.operand);
    return;
  }
  const part = target.kind === "slice" || target.kind === "access" || target.kind === "index" ? target : undefined;
  const whole = placeOf(cx, target);
  if (whole.kind === "place") {
    const { place } = whole;
    const allowed = assignable(cx, target, place);
    const value = coerce(
      cx,
      cx.evaluate(node.value, place.type),
      place.type,
      node.value.span,
      `\`${cx.text(target.span)}\``,
    );
    if (allowed && value !== undefined) writePlace(cx, place, value);
    return;
  }
  if (whole.kind === "wrong") {
    cx.evaluate(node.value, undefined);
    return;
  }
  const base = part === undefined ? whole : placeOf(cx, part.base);
  if (part === undefined || base.kind !== "place") {
    cx.evaluate(node.value, undefined);
    if (base.kind !== "wrong") notAssignable(cx, part?.base ?? target);
    return;
  }
  if (!assignable(cx, part.base, base.place)) {
    cx.evaluate(node.value, undefined);
    return;
  }
  switch (part.kind) {
    case "slice":
      assignSlice(cx, part, base.place, node.value);
      break;
    case "index":
      assignBit(cx, part, base.place, node.value);
      break;
    case "access":
      assignMemory(cx, part, base.place, node.value);
      break;
    default:
      unreachable(part);
  }
}

function assignOperand(cx: Context, node: AssignStatement, operand: OperandPlace): void {
  const type = operand.width === 0 ? undefined : bitsType(operand.width);
  const value = cx.evaluate(node.value, type);
  if (type === undefined) {
    cx.report("E_ASSIGN", node.target.span, `\`${operand.name}\` is an address, no place that can be assigned`);
    return;
  }
  const bits = coerce(cx, value, type, node.value.span, `\`${operand.name}\``);
  if (bits !== undefined) writeOperand(cx, operand, bits);
}

function assignable(cx: Context, node: Expression, place: Place): boolean {
  if (place.state === undefined) return true;
  if (place.state.name === "trap") {
    cx.report("E_ASSIGN", node.span, "`trap` is set by `raise`, not assigned");
    return false;
  }
  if (!cx.permissions.assign) {
    cx.report(
      "E_ASSIGN",
      node.span,
      `\`${cx.text(node.span)}\` is state and cannot be assigned here; copy it with \`var\` first`,
    );
    return false;
  }
  return true;
}

function notAssignable(cx: Context, node: Expression): void {
  let root = node;
  while (root.kind === "field" || root.kind === "index" || root.kind === "slice" || root.kind === "access")
    root = root.base;
  if (root.kind !== "name") {
    cx.report("E_ASSIGN", node.span, `\`${cx.text(node.span)}\` is no place that can be assigned`);
    return;
  }
  const { name } = root;
  const binding = cx.scope.get(name);
  if (binding?.kind === "value") {
    if (binding.value.kind === "wrong") return;
    cx.report("E_ASSIGN", root.span, `\`${name}\` is ${binding.what} and keeps its value; declare it with \`var\``);
  } else if (cx.unit.parameters.has(name) || cx.world.constants.has(name)) {
    cx.report("E_ASSIGN", root.span, `\`${name}\` is a constant and cannot be assigned`);
  } else if (binding !== undefined || cx.world.state.has(name)) {
    // The root is assignable and the path through it is not: reading it says what is wrong.
    const value = cx.evaluate(node, undefined);
    if (value.kind !== "wrong")
      cx.report("E_ASSIGN", node.span, `\`${cx.text(node.span)}\` is no place that can be assigned`);
  } else {
    unknownName(cx, name, root.span, "; a new name is declared with `let` or `var`");
  }
}

function assignSlice(
  cx: Context,
  node: Extract<Expression, { kind: "slice" }>,
  place: Place,
  valueNode: Expression,
): void {
  const old = readPlace(cx, place);
  const bounds = sliceBounds(cx, node, old);
  const type = bounds === undefined ? undefined : bitsType(bounds.hi - bounds.lo + 1);
  const value = cx.evaluate(valueNode, type);
  if (bounds === undefined || type === undefined) return;
  const bits = coerce(cx, value, type, valueNode.span, `\`${cx.text(node.span)}\``);
  if (bits !== undefined) writePlace(cx, place, replaceBits(old, bounds.hi, bounds.lo, single(bits)));
}

function replaceBits(old: TypedValue, hi: number, lo: number, bits: Term): TypedValue {
  const term = single(old);
  const width = term.sort.kind === "bits" ? term.sort.width : 1;
  const parts: Term[] = [];
  if (hi < width - 1) parts.push(build.extract(term, width - 1, hi + 1));
  parts.push(bits);
  if (lo > 0) parts.push(build.extract(term, lo - 1, 0));
  return typed(old.type, parts.length === 1 ? bits : build.concat(...parts));
}

function assignBit(
  cx: Context,
  node: Extract<Expression, { kind: "index" }>,
  place: Place,
  valueNode: Expression,
): void {
  const old = readPlace(cx, place);
  const value = coerce(
    cx,
    cx.evaluate(valueNode, bitsType(1)),
    bitsType(1),
    valueNode.span,
    `\`${cx.text(node.span)}\``,
  );
  const { type } = old;
  if (type.kind !== "bits") {
    // Reading it says what is wrong with it.
    cx.evaluate(node, undefined);
    return;
  }
  const at = cx.evaluate(node.index, undefined);
  if (at.kind === "int") {
    if (at.value < 0n || at.value >= BigInt(type.width)) {
      cx.report(
        "E_RANGE",
        node.index.span,
        `\`${cx.text(node.base.span)}\` has bits 0 to ${type.width - 1}; there is no bit ${at.value}`,
      );
    } else if (value !== undefined) {
      writePlace(cx, place, replaceBits(old, Number(at.value), Number(at.value), single(value)));
    }
    return;
  }
  if (at.kind !== "typed" || at.type.kind !== "bits") {
    if (at.kind !== "wrong") cx.report("E_TYPE", node.index.span, "a bit is chosen by bits");
    return;
  }
  if (value === undefined) return;
  // Clear the bit, then set it to the value: an index past the width shifts both out.
  const width = Math.max(type.width, at.type.width);
  const by = build.zext(single(at), width);
  const fit = (t: Term): Term => build.extract(t, type.width - 1, 0);
  const mask = fit(build.shl(build.constant(width, 1n), by));
  const bit = fit(build.shl(build.zext(single(value), width), by));
  writePlace(cx, place, typed(type, build.bvor(build.bvand(single(old), build.bvnot(mask)), bit)));
}

function assignMemory(
  cx: Context,
  node: Extract<Expression, { kind: "access" }>,
  place: Place,
  valueNode: Expression,
): void {
  const at = memoryAccess(cx, node, readPlace(cx, place));
  const type = at === undefined ? undefined : bitsType(at.bytes * 8);
  const value = cx.evaluate(valueNode, type);
  if (at === undefined || type === undefined) return;
  const bits = coerce(cx, value, type, valueNode.span, `\`${cx.text(node.span)}\``);
  if (bits === undefined) return;
  // A load on the right may have faulted first.
  if (place.state?.faults.store !== undefined) faultUnless(cx, at, "store", place.state.faults.store);
  writePlace(cx, place, typed(place.type, build.write(at.memory, at.address, at.bytes, single(bits))));
}
