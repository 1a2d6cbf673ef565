/** Single instructions of the x86-64 machine, written as assembly, by evaluation. */
import path from "node:path";
import { decoderLibrary } from "../../../refinement/assembly/library.js";
import { InternalDefect } from "../../../refinement/errors.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import { step } from "../../../refinement/execute/decoded.js";
import type { State } from "../../../refinement/execute/state.js";
import { MemoryValue, type Permissions } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";

export const machine = await loadMachine(path.resolve("spec/x86-64/x86-64.yaml"));

function decoded(): NonNullable<typeof machine.decoded> {
  if (machine.decoded === undefined) throw new InternalDefect("x86-64 has no decoder");
  return machine.decoded;
}

export const isa = decoded();
export const library = await decoderLibrary(isa);

export const CODE = 0x1000n;

export function bytesOf(text: string, origin = CODE): Uint8Array {
  return library.assemble(text, origin, () => true, "<test>").bytes;
}

export interface Setting {
  /** Variables that are not zero: registers, flags, bases. */
  readonly state?: Readonly<Record<string, bigint>>;
  /** Bytes of memory, the lowest first, in hexadecimal, by address. */
  readonly data?: Readonly<Record<string, string>>;
  readonly permissions?: Permissions;
  readonly choices?: Readonly<Record<string, bigint>>;
}

export interface Outcome {
  readonly state: State;
  /** A register or a flag. */
  of(name: string): bigint;
  bytes(address: bigint, count: number): bigint;
  /** The flags that are set, in the order of the register: "CF ZF". */
  readonly flags: string;
  readonly trap: string;
  readonly value: bigint;
}

const FLAGS = ["CF", "PF", "AF", "ZF", "SF", "DF", "OF"];

export function stateOf(code: Uint8Array, { state = {}, data = {}, permissions = () => true }: Setting = {}): State {
  let memory = MemoryValue.empty(64, permissions).storeBytes(CODE, code);
  for (const [address, bytes] of Object.entries(data))
    memory = memory.storeBytes(BigInt(address), Buffer.from(bytes, "hex"));
  const values = Object.entries(state).map(([name, value]) => [name, BigInt.asUintN(64, value)] as const);
  return new Map([...zeroState(machine), ["rip", CODE], ["rsp", 0x8000n], ...values, ["mem", memory]]);
}

/** One step of the instruction that the text, or the bytes, begin with. */
export function run(code: string | Uint8Array, setting: Setting = {}): Outcome {
  const bytes = typeof code === "string" ? bytesOf(code) : code;
  return outcomeOf(stateOf(bytes, setting), setting);
}

export function outcomeOf(before: State, { choices = {} }: Setting = {}): Outcome {
  const after = step(machine, before, (b) => library.decode(b), new Map(Object.entries(choices)));
  if (after.kind !== "stepped") throw new InternalDefect(after.kind === "stuck" ? "stuck" : after.reason);
  const { state } = after;
  const of = (name: string): bigint => {
    const value = state.get(name);
    if (typeof value !== "bigint") throw new InternalDefect(`${name} is no scalar`);
    return value;
  };
  const memory = state.get("mem");
  if (!(memory instanceof MemoryValue)) throw new InternalDefect("no memory");
  return {
    state,
    of,
    bytes: (address, count) => memory.load(address, count),
    flags: FLAGS.filter((f) => of(f) === 1n).join(" "),
    trap: machine.traps[Number(of("trap")) - 1]?.name ?? "none",
    value: of("trap.value"),
  };
}
