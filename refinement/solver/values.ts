/**
 * Reads a `(get-value …)` answer: what each symbol asked for is worth, as an unsigned number (`true` is 1).
 */
import { type Expression, parseExpressions } from "./s-expression.js";

/** What was asked for: a symbol and the width of its value in bits, 0 for a bool. */
export interface Wanted {
  readonly symbol: string;
  readonly width: number;
}

/** The values in the order of `wanted`, or `undefined` where the answer is not what such a question is answered with. */
export function readValues(answer: string, wanted: readonly Wanted[]): readonly bigint[] | undefined {
  if (wanted.length === 0) return [];
  const [pairs, ...more] = parseExpressions(answer) ?? [];
  if (pairs === undefined || typeof pairs === "string" || more.length > 0 || pairs.length !== wanted.length)
    return undefined;
  const values: bigint[] = [];
  for (const [i, { symbol, width }] of wanted.entries()) {
    const pair = pairs[i];
    if (pair === undefined || typeof pair === "string" || pair.length !== 2 || pair[0] !== symbol) return undefined;
    const value = readValue(pair[1], width);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

function readValue(e: Expression | undefined, width: number): bigint | undefined {
  if (e === undefined) return undefined;
  if (width === 0) return e === "true" ? 1n : e === "false" ? 0n : undefined;
  if (typeof e !== "string") {
    const decimal =
      e.length === 3 && e[0] === "_" && typeof e[1] === "string" ? /^bv(\d+)$/.exec(e[1])?.[1] : undefined;
    return decimal !== undefined && e[2] === String(width) ? fitting(BigInt(decimal), width) : undefined;
  }
  if (/^#x[0-9a-fA-F]+$/.test(e)) return (e.length - 2) * 4 === width ? BigInt(`0x${e.slice(2)}`) : undefined;
  if (/^#b[01]+$/.test(e)) return e.length - 2 === width ? BigInt(`0b${e.slice(2)}`) : undefined;
  return undefined;
}

function fitting(value: bigint, width: number): bigint | undefined {
  return value < 1n << BigInt(width) ? value : undefined;
}
