/**
 * Which bytes an instruction takes depends on its numbers: the encoder takes the shortest that hold them. Of an open number, what that
 * depends on is decided here, so that all its cases have the same form.
 */
import { equals, fitsSigned, Open } from "../../refinement/translation/quantity.js";
import type { CodeOperand } from "./code.js";

/** Intel's Software Developer's Manual, volume 2: those that have a form with an immediate of 8 bits, extended by its sign. */
const SHORT_IMMEDIATE: ReadonlySet<string> = new Set(["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"]);
/** Those that have a form for a count of 1. */
const BY_ONE: ReadonlySet<string> = new Set(["rol", "ror", "rcl", "rcr", "shl", "shr", "sar"]);
/** Bases whose encoding without a displacement stands for something else: rbp and r13. */
const NEEDS_DISPLACEMENT: ReadonlySet<number | "rip"> = new Set([5, 13]);

export function decideForm(mnemonic: string, operand: CodeOperand): void {
  switch (operand.kind) {
    case "register":
      return;
    case "immediate":
      if (!(operand.value instanceof Open)) return;
      if (BY_ONE.has(mnemonic)) equals(operand.value, 1n);
      else if (SHORT_IMMEDIATE.has(mnemonic)) fitsSigned(operand.value, 8);
      else if (mnemonic === "mov" && operand.width === 64) fitsSigned(operand.value, 32);
      return;
    case "memory": {
      const { base, displacement } = operand;
      if (!(displacement instanceof Open) || base === undefined) return;
      if (NEEDS_DISPLACEMENT.has(base) || !equals(displacement, 0n)) fitsSigned(displacement, 8);
      return;
    }
    default:
      operand satisfies never;
  }
}
