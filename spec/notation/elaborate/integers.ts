/** Arithmetic on constant integers: literals, parameters, loop variables. Exact, without a width. */
import type { Arithmetic, Comparison, Shift } from "../syntax/ast.js";

/** Constants larger than this many bits are refused. */
const MAX_CONSTANT_BITS = 4096;

/** The result, or why there is none. */
export type IntegerResult = { readonly value: bigint } | { readonly problem: string };

function bitLength(value: bigint): number {
  return (value < 0n ? -value : value).toString(16).length * 4;
}

function checked(value: bigint): IntegerResult {
  return bitLength(value) > MAX_CONSTANT_BITS + 4
    ? { problem: `a constant of more than ${MAX_CONSTANT_BITS} bits` }
    : { value };
}

function floorDivide(a: bigint, b: bigint): bigint {
  const q = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? q - 1n : q;
}

export function calculate(operator: Arithmetic | Shift, a: bigint, b: bigint): IntegerResult {
  switch (operator) {
    case "+":
      return checked(a + b);
    case "-":
      return checked(a - b);
    case "*":
      return checked(a * b);
    case "&":
      return checked(a & b);
    case "|":
      return checked(a | b);
    case "^":
      return checked(a ^ b);
    case "/u":
    case "/s":
      if (b === 0n) return { problem: "a division by the constant zero" };
      return checked(operator === "/s" ? a / b : floorDivide(a, b));
    case "%u":
    case "%s":
      if (b === 0n) return { problem: "a division by the constant zero" };
      return checked(operator === "%s" ? a % b : a - b * floorDivide(a, b));
    case "<<":
      if (b < 0n || b > BigInt(MAX_CONSTANT_BITS)) return { problem: `a constant shifted by ${b}` };
      return checked(a << b);
    case ">>u":
    case ">>s":
      if (b < 0n) return { problem: `a constant shifted by ${b}` };
      return checked(b > BigInt(MAX_CONSTANT_BITS) ? (a < 0n ? -1n : 0n) : a >> b);
    default: {
      const never: never = operator;
      return never;
    }
  }
}

/** Signed and unsigned say the same of integers without a width. */
export function compare(operator: Comparison, a: bigint, b: bigint): boolean {
  switch (operator) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<u":
    case "<s":
      return a < b;
    case "<=u":
    case "<=s":
      return a <= b;
    case ">u":
    case ">s":
      return a > b;
    case ">=u":
    case ">=s":
      return a >= b;
    default: {
      const never: never = operator;
      return never;
    }
  }
}
