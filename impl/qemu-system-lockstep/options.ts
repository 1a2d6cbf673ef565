/** The `emulator:` entry of the refinement files. */
import { UserError } from "../../refinement/errors.js";

export interface Options {
  /** The emulator, on PATH or a path. */
  readonly program: string;
  /** Its processor model, with everything switched off that the guest's definition does not have. */
  readonly cpu: string;
  readonly compiler: string;
}

const DEFAULTS: Options = { program: "qemu-system-riscv64", cpu: "rv64", compiler: "riscv64-linux-gnu-gcc" };
const EXPECTED = "emulator: { module, program, cpu, compiler: strings }";

export function readOptions(options: unknown): Options {
  if (typeof options !== "object" || options === null) throw new UserError(`expected ${EXPECTED}`);
  const given = new Map<string, unknown>(Object.entries(options));
  given.delete("module");
  const text = (key: keyof Options): string => {
    const value = given.get(key) ?? DEFAULTS[key];
    given.delete(key);
    if (typeof value !== "string" || value === "")
      throw new UserError(`emulator.${key} is a string, as in ${DEFAULTS[key]}`);
    return value;
  };
  const result = { program: text("program"), cpu: text("cpu"), compiler: text("compiler") };
  const [unknown] = given.keys();
  if (unknown !== undefined) throw new UserError(`emulator.${unknown} is no option; expected ${EXPECTED}`);
  return result;
}
