/**
 * Moves a translation to a fixed place, so that the same guest code gives the same bytes whatever addresses the system hands out. Code
 * is position-independent but for jumps out of it, which are encoded anew, and the helpers' addresses in the pool, which stand for
 * themselves: where they are jumped to, the translation has been left.
 */
import { InternalDefect } from "../../refinement/errors.js";
import type { DataBytes, Translation } from "../../refinement/translation.js";
import { type HostInstruction, relativeTo, targetOf } from "./host-code.js";
import type { LoggedPrologue } from "./log.js";

/** Of the prologue and of the block behind it. */
const PROLOGUE = 0x7f00_0000_0000n;
const BLOCK = PROLOGUE + 0x1000n;

/** The pool's n-th helper address becomes this + 16 n. */
const HELPERS = 0x5600_0000_0000n;

export function relocate(
  translation: Translation,
  prologue: LoggedPrologue,
  instructions: readonly HostInstruction[],
): Translation {
  const { host, points, faults, exits } = translation;
  const by = BLOCK - host.address;
  const move = (address: bigint): bigint => address + by;
  const code = Uint8Array.from(host.code);
  const view = new DataView(code.buffer);
  const helpers = places(host.data, instructions);
  for (const instruction of instructions) {
    const { address, end, decoded } = instruction;
    const pointer = pointerOf(instruction);
    const place = pointer === undefined ? undefined : helpers.get(pointer);
    if (place !== undefined) {
      view.setInt32(Number(address - host.address) + decoded.length - 4, Number(place - end), true);
      continue;
    }
    const target = targetOf(instruction);
    if (target === undefined) continue;
    if (target >= host.address && target < host.address + BigInt(code.length)) continue;
    if (decoded.length < 5) throw new InternalDefect("a jump out of a translation has 32 bits of displacement");
    const moved = PROLOGUE + (target - prologue.address);
    view.setInt32(Number(address - host.address) + decoded.length - 4, Number(moved - move(end)), true);
  }
  return {
    host: {
      address: BLOCK,
      code,
      data: host.data.map((item) => ({ address: move(item.address), bytes: withoutHelpers(item, helpers) })),
    },
    entry: move(translation.entry),
    points: points.map((p) => ({ ...p, host: move(p.host) })),
    faults: faults.map((f) => ({ ...f, host: move(f.host), until: f.until === undefined ? undefined : move(f.until) })),
    exits: exits.map((e) => ({ ...e, host: move(e.host) })),
    calls: [],
  };
}

/**
 * Where each helper's address goes in the pool, by where it was: in order of their first use. QEMU sorts them by their values, which are
 * chance.
 */
function places(data: readonly DataBytes[], instructions: readonly HostInstruction[]): ReadonlyMap<bigint, bigint> {
  const used = new Set<bigint>();
  for (const instruction of instructions) {
    const at = pointerOf(instruction);
    if (at !== undefined && data.some((d) => at >= d.address && at + 8n <= d.address + BigInt(d.bytes.length)))
      used.add(at);
  }
  const sorted = [...used].sort((a, b) => (a < b ? -1 : 1));
  return new Map([...used].map((at, i) => [at, sorted[i] ?? at]));
}

/** The address that an indirect call or jump reads its target from. */
function pointerOf({ decoded, end }: HostInstruction): bigint | undefined {
  const [operand] = decoded.operands;
  if ((decoded.mnemonic !== "call" && decoded.mnemonic !== "jmp") || operand?.kind !== "memory") return undefined;
  return relativeTo(operand, end);
}

/** The pool with other addresses in place of the helpers'. */
function withoutHelpers({ address, bytes }: DataBytes, helpers: ReadonlyMap<bigint, bigint>): Uint8Array {
  const moved = Uint8Array.from(bytes);
  const view = new DataView(moved.buffer);
  for (const at of helpers.values()) {
    const offset = Number(at - address);
    if (offset >= 0 && offset + 8 <= moved.length) view.setBigUint64(offset, HELPERS + 2n * BigInt(offset), true);
  }
  return moved;
}
