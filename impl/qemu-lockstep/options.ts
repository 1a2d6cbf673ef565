/**
 * The `emulator:` entry of refinement.yaml.
 */
import { UserError } from "../../refinement/errors.js";

export interface Options {
  /** The emulator, on PATH or a path. */
  readonly program: string;
  /** Its processor model. */
  readonly cpu: string;
  /** The instruction set as compilers write it, as in rv64imac_zba: everything else is switched off. */
  readonly march: string;
  readonly compiler: string;
  /** C sources, relative to the refinement file. */
  readonly programs: readonly string[];
}

const DEFAULTS: Options = {
  program: "qemu-riscv64",
  cpu: "rv64",
  march: "rv64im",
  compiler: "riscv64-linux-gnu-gcc",
  programs: [],
};

const EXPECTED = "emulator: { module, program, cpu, march, compiler: strings; programs: a list of strings }";

export function readOptions(options: unknown): Options {
  if (typeof options !== "object" || options === null) throw new UserError(`expected ${EXPECTED}`);
  const given = new Map<string, unknown>(Object.entries(options));
  given.delete("module");
  const text = (key: "program" | "cpu" | "march" | "compiler"): string => {
    const value = given.get(key) ?? DEFAULTS[key];
    given.delete(key);
    if (typeof value !== "string" || value === "")
      throw new UserError(`emulator.${key} is a name, as in ${DEFAULTS[key]}`);
    return value;
  };
  const result = { program: text("program"), cpu: text("cpu"), march: text("march"), compiler: text("compiler") };
  if (!/^rv(32|64)im[acfd]*(_z\w+)*$/.test(result.march))
    throw new UserError(`emulator.march is an instruction set as compilers write it, as in ${DEFAULTS.march}`);
  const programs = given.get("programs") ?? DEFAULTS.programs;
  given.delete("programs");
  if (!isStrings(programs)) throw new UserError("emulator.programs is a list of C sources, as in [./programs/sort.c]");
  const [unknown] = given.keys();
  if (unknown !== undefined) throw new UserError(`emulator.${unknown} is no option; expected ${EXPECTED}`);
  return { ...result, programs };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((v) => typeof v === "string");
}
