/** The RISC-V machines with another meaning of one instruction. */
import type { Files } from "../../../spec/notation/files.js";
import { editedFiles } from "../../edited-files.js";

/** `meaning` is what stands behind `execute:` instead, one line of the notation. */
export function otherwise(instruction: string, meaning: string): Files {
  const entry = new RegExp(`(\\n  ${instruction}:\\n(?:    .*\\n)*?    execute:)(?: *\\|\\n(?:      .*\\n)+|.*\\n)`);
  return editedFiles("riscv", (text) => text.replace(entry, (_, head: string) => `${head} |\n      ${meaning}\n`));
}
