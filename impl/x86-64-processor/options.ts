/** The options in refinement.yaml. */
import { UserError } from "../../refinement/errors.js";

export interface Options {
  /** A C compiler of this computer: a name on PATH, or a path. */
  readonly compiler: string;
}

export function readOptions(options: unknown): Options {
  const given: Readonly<Record<string, unknown>> =
    typeof options === "object" && options !== null ? Object.fromEntries(Object.entries(options)) : {};
  for (const name of Object.keys(given))
    if (name !== "compiler" && name !== "module")
      throw new UserError(`x86-64-processor: \`emulator\` has no option \`${name}\`; it has compiler`);
  const { compiler = "gcc" } = given;
  if (typeof compiler !== "string") throw new UserError("x86-64-processor: `compiler` is the name of a C compiler");
  return { compiler };
}
