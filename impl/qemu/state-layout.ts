/**
 * Where the guest's state lies relative to rbp, which QEMU's build decides. Found out in two ways: the intermediate code says which globals
 * are brought up to date, in the order of the stores; and an instruction that sets a register to a number of its own shows where it goes.
 */
import { EnvironmentFailure } from "../../refinement/errors.js";
import { decodeCode, RBP, storeTo } from "./host-code.js";
import type { LoggedBlock } from "./log.js";

/** Displacements from rbp, by QEMU's names: `x1` … `x31`, `f0` … `f31`, `pc`, `load_res`, `load_val`, `badaddr`, `bins`. */
export type StateLayout = ReadonlyMap<string, bigint>;

interface Store {
  readonly displacement: bigint;
  readonly value: bigint | undefined;
}

function storesOf(block: LoggedBlock): readonly Store[] {
  const decoded = decodeCode(block.address, block.code);
  if ("error" in decoded) return [];
  return decoded.instructions.flatMap((instruction) => {
    const store = storeTo(instruction, RBP);
    return store?.width === 64 ? [store] : [];
  });
}

/** `x10/a0` → `x10`. */
function plain(name: string): string {
  return name.split("/")[0] ?? name;
}

/** By the order of the stores; nothing where there are more stores than globals. */
export function layoutByOrder(blocks: readonly LoggedBlock[]): StateLayout {
  const layout = new Map<string, bigint>();
  for (const block of blocks) {
    const names = block.operations.flatMap((o) => o.synced).map(plain);
    const stores = storesOf(block);
    if (names.length !== stores.length) continue;
    for (const [i, name] of names.entries()) put(layout, name, stores[i]?.displacement ?? 0n);
  }
  return layout;
}

/** Where traps have their values: `badaddr` for an address, which is a doubleword, `bins` for an instruction, which is a word. */
export function layoutOfTraps(blocks: readonly LoggedBlock[]): StateLayout {
  const layout = new Map<string, bigint>();
  for (const { name, operands } of blocks.flatMap((b) => b.operations)) {
    const [, base, displacement] = operands;
    if (base !== "env" || displacement?.startsWith("$") !== true) continue;
    if (name === "st_i64") put(layout, "badaddr", BigInt(displacement.slice(1)));
    if (name === "st_i32") put(layout, "bins", BigInt(displacement.slice(1)));
  }
  return layout;
}

/** By the numbers that are stored: `values` tells whose each is. */
export function layoutByValue(blocks: readonly LoggedBlock[], values: ReadonlyMap<bigint, string>): StateLayout {
  const layout = new Map<string, bigint>();
  for (const block of blocks) {
    for (const { displacement, value } of storesOf(block)) {
      const name = value === undefined ? undefined : values.get(value);
      if (name !== undefined) put(layout, name, displacement);
    }
  }
  return layout;
}

function put(layout: Map<string, bigint>, name: string, displacement: bigint): void {
  const known = layout.get(name);
  if (known !== undefined && known !== displacement)
    throw new EnvironmentFailure("qemu", `keeps ${name} at both rbp + ${known} and rbp + ${displacement}`);
  layout.set(name, displacement);
}

/** Throws where `found` contradicts `expected` or lacks some of it. */
export function compareLayouts(found: StateLayout, expected: StateLayout, how: string): void {
  for (const [name, displacement] of expected) {
    const here = found.get(name);
    if (here === displacement) continue;
    const got = here === undefined ? "nothing shows where" : `at rbp + 0x${here.toString(16)}`;
    throw new EnvironmentFailure(
      "qemu",
      `${name} is expected at rbp + 0x${displacement.toString(16)}; ${how}, ${got}. Another build of QEMU: state its layout in refinement.yaml`,
    );
  }
}
