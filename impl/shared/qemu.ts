/** The installed QEMU: what differs between its versions, and which processor it is told to be. */
import { EnvironmentFailure } from "../../refinement/errors.js";
import { run } from "./programs.js";

/** QEMU 8.1 renamed the option, and later versions know the new name alone. */
export function singleStepOption(version: string): string {
  const [, major = "0", minor = "0"] = /version (\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 8 || (Number(major) === 8 && Number(minor) >= 1) ? "-one-insn-per-tb" : "-singlestep";
}

/**
 * Extensions that QEMU may have. Which of them a version knows, and by which name, differs. D goes before F, which it depends on.
 */
const EXTENSIONS = [
  "c",
  "a",
  "d",
  "f",
  "h",
  "Zifencei",
  "zifencei",
  "Zicsr",
  "zicsr",
  "Zawrs",
  "zawrs",
  "zba",
  "zbb",
  "zbc",
  "zbs",
  "zfa",
  "zicboz",
  "zicbom",
  "zicond",
];

/** Those of an instruction set: its single letters, and what stands behind them. */
export function extensionsOf(march: string): ReadonlySet<string> {
  const [letters = "", ...others] = march.slice(4).split("_");
  return new Set([...letters, ...others]);
}

export interface Model {
  /** The value of `-cpu`. */
  readonly cpu: string;
  /** How this emulator executes Zicond, where the instruction set has it: itself, as a vendor's extension does, or not at all. */
  readonly zicond: "itself" | "ventana" | "absent";
}

/**
 * The processor model with the extensions that are wanted, and every other switched off that this emulator lets one switch off.
 * `probe` is a program that ends well.
 */
export async function processorModel(
  emulator: string,
  cpu: string,
  wanted: ReadonlySet<string>,
  probe: string,
): Promise<Model> {
  let extensions: readonly string[] = EXTENSIONS;
  let ventana = wanted.has("zicond");
  for (;;) {
    const zicond = wanted.has("zicond") && extensions.includes("zicond");
    const settings = extensions.map((e) => `${e}=${wanted.has(e.toLowerCase()) ? "on" : "off"}`);
    const model = [cpu, ...settings, ...(ventana && !zicond ? ["xventanacondops=on"] : [])].join(",");
    const complaint = await run(emulator, ["-cpu", model, probe], { timeout: 20_000 }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (complaint === undefined) return { cpu: model, zicond: zicond ? "itself" : ventana ? "ventana" : "absent" };
    const unknown = /Property '[^']*\.(\w+)' not found/.exec(complaint)?.[1];
    if (unknown === "xventanacondops") ventana = false;
    else if (unknown !== undefined && extensions.includes(unknown))
      extensions = extensions.filter((e) => e !== unknown);
    else throw new EnvironmentFailure(emulator, `does not run with -cpu ${model}: ${complaint}`);
  }
}
