/** What a translation must be before anything can be said of it. */
import type { Machine } from "../machine.js";
import type { GuestBlock, Translation } from "../translation.js";
import type { Code } from "./code.js";
import { hex } from "./regions.js";

/** What is wrong with the translation, in words; undefined where it is as the protocol says. */
export function problemOf(
  block: Pick<GuestBlock, "pc" | "code">,
  translation: Translation,
  code: Code,
  guest: Machine,
): string | undefined {
  const { entry, points, faults, exits } = translation;
  const named: readonly (readonly [string, bigint])[] = [
    ["entry", entry],
    ...points.map((p) => ["points", p.host] as const),
    ...faults.map((f) => ["faults", f.host] as const),
    ...exits.map((e) => ["exits", e.host] as const),
  ];
  const starts = boundaries(
    code,
    named.map(([, address]) => address),
  );
  for (const [what, address] of named) {
    if (!code.contains(address)) return `\`${what}\` names the host address ${hex(address)}, outside its code`;
    if (!starts.has(address)) return `\`${what}\` names the host address ${hex(address)}, where no instruction begins`;
  }
  const behind = block.pc + BigInt(block.code.length);
  for (const { guest } of faults)
    if (guest < block.pc || guest >= behind)
      return `\`faults\` names the guest address ${hex(guest)}, outside the block`;
  for (const { trap } of exits)
    if (trap !== undefined && !guest.traps.some((t) => t.name === trap))
      return `\`exits\` names the trap \`${trap}\`, and ${guest.name} has none of that name`;
  if (exits.length === 0) return "`exits` is empty: nothing would leave the code";
  return undefined;
}

/** Where instructions begin: read one after another, and where that ends, on from the next address that is named. */
function boundaries(code: Code, named: readonly bigint[]): ReadonlySet<bigint> {
  const sorted = [...named].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const found = new Set<bigint>();
  let address: bigint | undefined = code.host.address;
  while (address !== undefined && code.contains(address)) {
    const at: bigint = address;
    const fetched = code.at(at);
    if (fetched.kind === "instruction") {
      found.add(at);
      address = at + BigInt(fetched.instruction.length);
    } else {
      address = sorted.find((n) => n > at);
      if (fetched.kind === "unsupported") found.add(at);
    }
  }
  return found;
}

/** Addresses that a jump leads back to. */
export function loopHeads(code: Code): ReadonlySet<bigint> {
  const heads = new Set<bigint>();
  for (const address of boundaries(code, [])) {
    const fetched = code.at(address);
    if (fetched.kind !== "instruction") continue;
    const { operands, length } = fetched.instruction;
    for (const operand of operands) {
      if (operand.kind !== "target") continue;
      const target = BigInt.asUintN(64, address + BigInt(length) + operand.displacement);
      if (target <= address) heads.add(target);
    }
  }
  return heads;
}
