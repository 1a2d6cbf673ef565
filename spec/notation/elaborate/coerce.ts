/** Giving a value the type that its place wants. Nothing widens by itself: only constants take a width. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Span } from "../syntax/ast.js";
import type { Context } from "./context.js";
import {
  BOOL_TYPE,
  type NType,
  type TrapTable,
  type TrapType,
  sameMeaning,
  sameTraps,
  sameType,
  typeToString,
} from "./types.js";
import { type TypedValue, type Val, typed } from "./value.js";

/** `value` as a value of `type`; undefined where that is reported as a mistake (or was before). `what` wants it. */
export function coerce(cx: Context, value: Val, type: NType, span: Span, what: string): TypedValue | undefined {
  switch (value.kind) {
    case "wrong":
      return undefined;
    case "none":
      cx.report(
        "E_VALUE",
        span,
        `\`${cx.text(span)}\` gives no value; ${what} needs one of type ${typeToString(type)}`,
      );
      return undefined;
    case "truth":
      if (type.kind === "bool") return typed(BOOL_TYPE, build.bool(value.value));
      cx.report("E_TYPE", span, `\`${cx.text(span)}\` is bool; ${what} wants ${typeToString(type)}`);
      return undefined;
    case "int":
      return integerAs(cx, value.value, type, span, what);
    case "typed": {
      if (sameType(value.type, type)) return value;
      if (value.type.kind === "trap" && type.kind === "trap") return trapAs(cx, value, value.type, type, span);
      reportMismatch(cx, value.type, type, span, what);
      return undefined;
    }
    default: {
      const never: never = value;
      return never;
    }
  }
}

function integerAs(cx: Context, value: bigint, type: NType, span: Span, what: string): TypedValue | undefined {
  if (type.kind !== "bits") {
    const remedy = type.kind === "bool" ? "; write true or false, or compare it" : "";
    cx.report("E_TYPE", span, `\`${cx.text(span)}\` is a number; ${what} wants ${typeToString(type)}${remedy}`);
    return undefined;
  }
  const limit = 1n << BigInt(type.width);
  if (value >= limit || value < -(limit >> 1n)) {
    const most = `at most ${limit - 1n} (0x${(limit - 1n).toString(16)})`;
    const range = value < 0n ? `at least -${limit >> 1n}` : most;
    const bound = type.width > 64 ? "" : `, which holds ${range}`;
    cx.report("E_LITERAL", span, `\`${cx.text(span)}\` does not fit bits(${type.width})${bound}`);
    return undefined;
  }
  return typed(type, build.constant(type.width, value));
}

function reportMismatch(cx: Context, found: NType, wanted: NType, span: Span, what: string): void {
  const text = cx.text(span);
  if (found.kind === "bits" && wanted.kind === "bits") {
    const remedy =
      found.width < wanted.width
        ? `widen with sext(${text}) or zext(${text})`
        : `take a slice, as in (${text})[${wanted.width - 1}:0]`;
    cx.report(
      "E_WIDTH",
      span,
      `\`${text}\` is bits(${found.width}) and ${what} wants bits(${wanted.width}); ${remedy}`,
    );
    return;
  }
  let remedy = "";
  if (wanted.kind === "bool" && found.kind === "bits")
    remedy = found.width === 1 ? `; write bool(${text})` : `; compare it: ${text} != 0`;
  else if (wanted.kind === "bits" && found.kind === "bool")
    remedy = `; write ${wanted.width === 1 ? "bits" : "zext"}(${text})`;
  else if (wanted.kind === "bits" && found.kind === "enum") remedy = `; write bits(${text})`;
  else if (found.kind === "array" && wanted.kind !== "array") remedy = "; choose an element with [index]";
  else if (found.kind === "memory" && wanted.kind === "bits") remedy = "; read it with [address, bytes]";
  cx.report("E_TYPE", span, `\`${text}\` is ${typeToString(found)} and ${what} wants ${typeToString(wanted)}${remedy}`);
}

/** A trap of one machine as the trap of the same name of another. */
function trapAs(cx: Context, value: TypedValue, from: TrapType, to: TrapType, span: Span): TypedValue | undefined {
  const [code, argument] = value.terms;
  if (code === undefined || argument === undefined) return undefined;
  if (sameTraps(from.table, to.table)) return typed(to, code, argument);
  const codeWidth = (table: TrapTable): number => Math.max(1, Math.ceil(Math.log2(table.code.members.length)));
  let result = build.constant(codeWidth(to.table), 0n);
  for (const trap of from.table.traps) {
    const other = to.table.traps.find((t) => t.name === trap.name);
    if (other === undefined || !sameMeaning(trap, other)) {
      cx.report(
        "E_TRAP",
        span,
        `\`${trap.name}\` is no trap of the machine that this is a trap of, or has other parameters or another cause; say which trap it stands for`,
      );
      return undefined;
    }
    const is = build.eq(code, build.constant(codeWidth(from.table), BigInt(trap.code)));
    result = build.ite(is, build.constant(codeWidth(to.table), BigInt(other.code)), result);
  }
  return typed(to, result, resize(argument, from.table.width, to.table.width));
}

function resize(term: Term, from: number, to: number): Term {
  return from <= to ? build.zext(term, to) : build.extract(term, to - 1, 0);
}

/** A bool term, for a condition. */
export function condition(cx: Context, value: Val, span: Span, what: string): Term | undefined {
  return coerce(cx, value, BOOL_TYPE, span, what)?.terms[0];
}
