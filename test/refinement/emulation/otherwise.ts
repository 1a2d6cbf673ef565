/** The RISC-V machines with another meaning of one instruction. */
import { type Files, nodeFiles } from "../../../spec/notation/files.js";

/** `meaning` is what stands behind `execute:` instead, one line of the notation. */
export function otherwise(instruction: string, meaning: string): Files {
  const entry = new RegExp(`(\\n  ${instruction}:\\n(?:    .*\\n)*?    execute:)(?: *\\|\\n(?:      .*\\n)+|.*\\n)`);
  return {
    ...nodeFiles,
    async read(path) {
      const file = await nodeFiles.read(path);
      if ("problem" in file || !path.includes("riscv")) return file;
      return { text: file.text.replace(entry, (_, head: string) => `${head} |\n      ${meaning}\n`) };
    },
  };
}
