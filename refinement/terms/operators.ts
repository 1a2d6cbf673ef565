/**
 * What the scalar operators mean: unsigned bigints in, an unsigned bigint out (a bool is 0n or 1n). The one place that
 * says it: evaluation and constant folding both come here. The meanings are SMT-LIB's (theory FixedSizeBitVectors).
 */
import { InternalDefect } from "../errors.js";
import type { Sort } from "./sort.js";
import type { Term } from "./term.js";

export function maskOf(width: number): bigint {
  return (1n << BigInt(width)) - 1n;
}

/** Width of a scalar in bits; a bool counts as 1. */
export function scalarWidth(sort: Sort): number {
  if (sort.kind === "bits") return sort.width;
  if (sort.kind === "bool") return 1;
  throw new InternalDefect(`a ${sort.kind} is not a scalar`);
}

export function toSigned(value: bigint, width: number): bigint {
  return BigInt.asIntN(width, value);
}

/** The value of a term with a scalar operator (anything but variables, files, memories and `apply`) on these arguments. */
export function operate(term: Term, args: readonly bigint[]): bigint {
  const a = args[0] ?? 0n;
  const b = args[1] ?? 0n;
  const first = term.args[0];
  const width = scalarWidth(term.sort);
  switch (term.op) {
    case "const":
      return term.value;
    case "not":
      return a ^ 1n;
    case "and":
      return args.every((x) => x === 1n) ? 1n : 0n;
    case "or":
      return args.some((x) => x === 1n) ? 1n : 0n;
    case "eq":
      return a === b ? 1n : 0n;
    case "ite":
      return a === 1n ? b : (args[2] ?? 0n);
    case "ult":
      return a < b ? 1n : 0n;
    case "ule":
      return a <= b ? 1n : 0n;
    case "slt":
    case "sle": {
      const operand = first === undefined ? width : scalarWidth(first.sort);
      const x = toSigned(a, operand);
      const y = toSigned(b, operand);
      return (term.op === "slt" ? x < y : x <= y) ? 1n : 0n;
    }
    case "bvnot":
      return a ^ maskOf(width);
    case "bvand":
      return args.reduce((x, y) => x & y);
    case "bvor":
      return args.reduce((x, y) => x | y);
    case "bvxor":
      return args.reduce((x, y) => x ^ y);
    case "add":
      return BigInt.asUintN(
        width,
        args.reduce((x, y) => x + y),
      );
    case "mul":
      return BigInt.asUintN(
        width,
        args.reduce((x, y) => x * y),
      );
    case "udiv":
      return b === 0n ? maskOf(width) : a / b;
    case "urem":
      return b === 0n ? a : a % b;
    case "sdiv": {
      const x = toSigned(a, width);
      const y = toSigned(b, width);
      if (y === 0n) return x < 0n ? 1n : maskOf(width);
      return BigInt.asUintN(width, x / y);
    }
    case "srem": {
      const y = toSigned(b, width);
      return y === 0n ? a : BigInt.asUintN(width, toSigned(a, width) % y);
    }
    case "shl":
      return b >= BigInt(width) ? 0n : BigInt.asUintN(width, a << b);
    case "lshr":
      return b >= BigInt(width) ? 0n : a >> b;
    case "ashr": {
      const shift = b >= BigInt(width) ? BigInt(width) : b;
      return BigInt.asUintN(width, toSigned(a, width) >> shift);
    }
    case "concat": {
      let value = 0n;
      for (let i = 0; i < args.length; i++) {
        const part = term.args[i];
        if (part !== undefined) value = (value << BigInt(scalarWidth(part.sort))) | (args[i] ?? 0n);
      }
      return value;
    }
    case "extract":
      return BigInt.asUintN(width, a >> BigInt(term.lo));
    case "zext":
      return a;
    case "sext":
      return BigInt.asUintN(width, toSigned(a, first === undefined ? width : scalarWidth(first.sort)));
    case "var":
    case "select":
    case "store":
    case "lambda":
    case "load":
    case "write":
    case "accessible":
    case "apply":
      throw new InternalDefect(`${term.op} is not a scalar operator`);
  }
}
