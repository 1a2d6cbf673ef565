import { argument, boundVariable, fileSortOf } from "./construct.js";
import { maskOf, scalarWidth } from "./operators.js";
import { sortToString } from "./sort.js";
import type { Op, Term } from "./term.js";

/** Binding strength, loosest first, as in the notation. */
const LEVEL = { choice: 1, or: 2, and: 3, compare: 4, bitor: 5, bitxor: 6, bitand: 7, shift: 8, sum: 9, product: 10 };
const CONCAT = 11;
const UNARY = 12;
const ATOM = 13;

const INFIX: Partial<Record<Op, readonly [string, number]>> = {
  and: ["&&", LEVEL.and],
  or: ["||", LEVEL.or],
  eq: ["==", LEVEL.compare],
  ult: ["<u", LEVEL.compare],
  ule: ["<=u", LEVEL.compare],
  slt: ["<s", LEVEL.compare],
  sle: ["<=s", LEVEL.compare],
  bvor: ["|", LEVEL.bitor],
  bvxor: ["^", LEVEL.bitxor],
  bvand: ["&", LEVEL.bitand],
  shl: ["<<", LEVEL.shift],
  lshr: [">>u", LEVEL.shift],
  ashr: [">>s", LEVEL.shift],
  mul: ["*", LEVEL.product],
  udiv: ["/u", LEVEL.product],
  urem: ["%u", LEVEL.product],
  sdiv: ["/s", LEVEL.product],
  srem: ["%s", LEVEL.product],
  concat: ["++", CONCAT],
};

/** A term in the notation; what the notation cannot say (files and memories as values) in its spirit. */
export function print(t: Term): string {
  return show(t, 0);
}

function show(t: Term, context: number): string {
  const [text, level] = render(t);
  return level < context ? `(${text})` : text;
}

function constantText(value: bigint, width: number): string {
  if (width === 1 || value < 10n) return `${width}'${width === 1 ? "b" : "d"}${value}`;
  if (value > maskOf(width) - 16n) return `-${width}'d${maskOf(width) + 1n - value}`;
  return `${width}'h${value.toString(16).toUpperCase()}`;
}

/** The coefficient and the factor of a negated product; the sum then shows a difference. */
function negated(t: Term): string | undefined {
  const first = t.args[0];
  const width = scalarWidth(t.sort);
  if (t.op === "const" && width > 1 && t.value > maskOf(width - 1)) return show(t, ATOM).replace(/^-/, "");
  if (t.op !== "mul" || first === undefined || first.op !== "const" || first.value <= maskOf(width - 1))
    return undefined;
  const rest = t.args.slice(1).map((arg) => show(arg, LEVEL.product + 1));
  const magnitude = maskOf(width) + 1n - first.value;
  return [...(magnitude === 1n ? [] : [constantText(magnitude, width)]), ...rest].join(" * ");
}

function sum(t: Term): string {
  const parts = [...t.args].sort((a, b) => Number(isNegative(a)) - Number(isNegative(b)));
  let text = "";
  for (const part of parts) {
    const minus = text !== "" && isNegative(part) ? negated(part) : undefined;
    if (minus !== undefined) text += ` - ${minus}`;
    else text += `${text === "" ? "" : " + "}${show(part, LEVEL.sum + 1)}`;
  }
  return text;
}

function isNegative(t: Term): boolean {
  if (t.op === "const") {
    const width = scalarWidth(t.sort);
    return t.value > maskOf(width) - 16n;
  }
  return negated(t) !== undefined;
}

function render(t: Term): readonly [string, number] {
  const arg = (i: number, level = 0): string => show(argument(t, i), level);
  switch (t.op) {
    case "const":
      return [
        t.sort.kind === "bool" ? (t.value === 1n ? "true" : "false") : constantText(t.value, scalarWidth(t.sort)),
        ATOM,
      ];
    case "var":
      return [t.name, ATOM];
    case "not": {
      const inner = argument(t, 0);
      if (inner.op === "eq") return [`${show(argument(inner, 0), 5)} != ${show(argument(inner, 1), 5)}`, LEVEL.compare];
      if (inner.op === "ult" || inner.op === "slt")
        return [
          `${show(argument(inner, 0), 5)} >=${inner.op === "ult" ? "u" : "s"} ${show(argument(inner, 1), 5)}`,
          LEVEL.compare,
        ];
      return [`!${show(inner, UNARY)}`, UNARY];
    }
    case "bvnot":
      return [`~${arg(0, UNARY)}`, UNARY];
    case "ite":
      return [`${arg(0, 2)} ? ${arg(1, 2)} : ${arg(2, 1)}`, LEVEL.choice];
    case "add":
      return [sum(t), LEVEL.sum];
    case "extract":
      return [t.hi === t.lo ? `${arg(0, ATOM)}[${t.lo}]` : `${arg(0, ATOM)}[${t.hi}:${t.lo}]`, ATOM];
    case "zext":
    case "sext":
      return [`${t.op}(${arg(0)}, ${scalarWidth(t.sort)})`, ATOM];
    case "select":
      return [`${arg(0, ATOM)}[${arg(1)}]`, ATOM];
    case "store":
      return [`${arg(0, ATOM)}{[${arg(1)}] = ${arg(2)}}`, ATOM];
    case "lambda":
      return [`{${boundVariable(t).name} => ${arg(0)} : ${sortToString(fileSortOf(t))}}`, ATOM];
    case "load":
      return [`${arg(0, ATOM)}[${arg(1)}, ${t.bytes}]`, ATOM];
    case "write":
      return [`${arg(0, ATOM)}{[${arg(1)}, ${t.bytes}] = ${arg(2)}}`, ATOM];
    case "accessible":
      return [`accessible(${arg(0)}, ${t.access}, ${arg(1)}, ${t.bytes})`, ATOM];
    case "apply":
      return [`${t.name}(${t.args.map((a) => show(a, 0)).join(", ")})`, ATOM];
    default: {
      const [symbol, level] = INFIX[t.op] ?? [t.op, LEVEL.compare];
      return [t.args.map((a) => show(a, level + 1)).join(` ${symbol} `), level];
    }
  }
}
