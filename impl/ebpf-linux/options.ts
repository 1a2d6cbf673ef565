/**
 * The `emulator:` entry of refinement.yaml.
 */
import { UserError } from "../../refinement/errors.js";

export interface Options {
  /** The compiler of the runner, on PATH or a path. */
  readonly compiler: string;
  /** Instructions that the kernel cannot show, and why. */
  readonly exempt: ReadonlyMap<string, string>;
}

const EXPECTED = "emulator: { module, compiler: strings; exempt: a mapping of instructions to reasons }";

export function readOptions(options: unknown): Options {
  if (typeof options !== "object" || options === null) throw new UserError(`expected ${EXPECTED}`);
  const given = new Map<string, unknown>(Object.entries(options));
  given.delete("module");
  const compiler = given.get("compiler") ?? "gcc";
  given.delete("compiler");
  if (typeof compiler !== "string" || compiler === "") throw new UserError("emulator.compiler is a name, as in gcc");
  const exempt = given.get("exempt") ?? {};
  given.delete("exempt");
  if (typeof exempt !== "object" || exempt === null) throw new UserError(`emulator.exempt: expected ${EXPECTED}`);
  const [unknown] = given.keys();
  if (unknown !== undefined) throw new UserError(`emulator.${unknown} is no option; expected ${EXPECTED}`);
  const reasons = new Map<string, string>();
  for (const [name, reason] of Object.entries(exempt)) {
    if (typeof reason !== "string") throw new UserError(`emulator.exempt.${name} is a reason, in words`);
    reasons.set(name, reason);
  }
  return { compiler, exempt: reasons };
}
