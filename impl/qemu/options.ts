/**
 * The `translator:` entry of refinement.yaml.
 */
import { UserError } from "../../refinement/errors.js";
import type { StateLayout } from "./state-layout.js";

export interface Options {
  /** The emulator, on PATH or a path. */
  readonly program: string;
  /** Its processor model. */
  readonly cpu: string;
  /** QEMU's names of extensions that are switched on; all others that can be are switched off. */
  readonly extensions: readonly string[];
  /** What is added to the guest's addresses (`-B`); undefined: nothing. */
  readonly guestBase: bigint | undefined;
  /** Displacements from rbp: x0's and f0's, from which the others follow in order, and of what else the abstraction reads. */
  readonly layout: StateLayout;
}

const EXPECTED =
  "translator: { module, program, cpu: strings; extensions: a list of names; guest-base: a number; layout: numbers by name }";

export function readOptions(options: unknown): Options {
  if (typeof options !== "object" || options === null) throw new UserError(`expected ${EXPECTED}`);
  const given = new Map<string, unknown>(Object.entries(options));
  given.delete("module");
  const take = (key: string): unknown => {
    const value = given.get(key);
    given.delete(key);
    return value;
  };
  const program = take("program") ?? "qemu-riscv64";
  const cpu = take("cpu") ?? "rv64";
  const extensions = take("extensions") ?? [];
  const base = take("guest-base");
  const layout = take("layout");
  if (typeof program !== "string" || program === "")
    throw new UserError("translator.program is a name, as in qemu-riscv64");
  if (typeof cpu !== "string" || cpu === "") throw new UserError("translator.cpu is a name, as in rv64");
  if (!isNames(extensions)) throw new UserError("translator.extensions is a list of QEMU's names, as in [c, a, zba]");
  if (base !== undefined && !isNumber(base))
    throw new UserError("translator.guest-base is an address, as in 0x100000000");
  const [unknown] = given.keys();
  if (unknown !== undefined) throw new UserError(`translator.${unknown} is no option; expected ${EXPECTED}`);
  const guestBase = base === undefined ? undefined : BigInt(base);
  return { program, cpu, extensions, guestBase, layout: readLayout(layout) };
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((v) => typeof v === "string" && /^\w+$/.test(v));
}

function readLayout(value: unknown): StateLayout {
  if (typeof value !== "object" || value === null)
    throw new UserError("translator.layout tells displacements from rbp, as in { x: 0, pc: 0x1330 }");
  const layout = new Map<string, bigint>();
  for (const [name, displacement] of Object.entries(value)) {
    if (!isNumber(displacement)) throw new UserError(`translator.layout.${name} is a number`);
    if (name !== "x" && name !== "f") layout.set(name, BigInt(displacement));
    else
      for (let i = name === "x" ? 1 : 0; i < 32; i++) layout.set(`${name}${i}`, BigInt(displacement) + 8n * BigInt(i));
  }
  return layout;
}
