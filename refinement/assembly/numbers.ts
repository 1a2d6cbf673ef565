/**
 * Numbers as assembly writes them, and which a field can hold.
 */
import type { Field } from "../machine.js";
import { coveredBits, representable } from "./encoding.js";
import type { Operand, Signedness } from "./syntax.js";

export function asSigned(value: bigint, width: number): bigint {
  return BigInt.asIntN(width, value);
}

/** Small numbers in decimal, others in hexadecimal. */
export function formatUnsigned(value: bigint): string {
  return value < 10n ? value.toString() : `0x${value.toString(16)}`;
}

export function formatNumber(value: bigint, width: number, signedness: Signedness): string {
  return signedness === "signed" ? asSigned(value, width).toString() : formatUnsigned(value);
}

export function parseNumber(text: string): bigint | undefined {
  return /^(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)$/.test(text) ? BigInt(text) : undefined;
}

type Slice = Operand & { readonly kind: "slice" };

/** Bits `hi` to `lo` of a field's value, extended by its sign where the field ends below them. */
export function sliceOf({ field, hi, lo }: Slice, value: bigint): bigint {
  const whole = hi >= field.width ? BigInt.asIntN(field.width, value) : value;
  return BigInt.asUintN(hi - lo + 1, whole >> BigInt(lo));
}

/** The value of the field of which `sliceOf` gives this; undefined if there is none. */
export function valueOfSlice(slice: Slice, bits: bigint): bigint | undefined {
  const value = BigInt.asUintN(slice.field.width, bits << BigInt(slice.lo));
  return bits >= 0n && representable(slice.field, value) && sliceOf(slice, value) === bits ? value : undefined;
}

export interface Range {
  readonly least: bigint;
  readonly greatest: bigint;
  /** Every value is a multiple of it. */
  readonly multiple: bigint;
}

function rangeOf(field: Field, signedness: Signedness): Range {
  const half = 1n << BigInt(field.width - 1);
  const covered = coveredBits(field);
  const multiple = covered & -covered;
  const greatest = (signedness === "signed" ? half - 1n : 2n * half - 1n) & -multiple;
  return { least: signedness === "unsigned" ? 0n : -half, greatest, multiple };
}

/** The unsigned field value for a number, or what is wrong with the number. */
export function fit(field: Field, signedness: Signedness, value: bigint): { value: bigint } | { problem: string } {
  const { least, greatest, multiple } = rangeOf(field, signedness);
  const unsigned = BigInt.asUintN(field.width, value);
  if (value < least || value > greatest + multiple - 1n) {
    return { problem: `${value} is out of range: ${field.name} takes ${least} to ${greatest}` };
  }
  if (!representable(field, unsigned)) {
    return {
      problem: `${value} does not fit: ${field.name} takes multiples of ${multiple} from ${least} to ${greatest}`,
    };
  }
  return { value: unsigned };
}
