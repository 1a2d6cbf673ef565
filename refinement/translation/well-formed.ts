/** What a translation must be before anything can be said of it. */
import type { TranslatorRefinement } from "../refinement.js";
import type { GuestBlock, Translation } from "../translation.js";
import type { Code } from "./code.js";
import { hex } from "./regions.js";

/** What is wrong with the translation, in words; undefined where it is as the protocol says. */
export function problemOf(
  block: Pick<GuestBlock, "pc" | "code">,
  translation: Translation,
  code: Code,
  { guest, views }: Pick<TranslatorRefinement, "guest" | "views">,
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
  const unknown = [...points, ...faults, ...exits].find(({ view }) => view !== undefined && !views.has(view))?.view;
  if (unknown !== undefined) return `it names the view \`${unknown}\`, and the refinement has none of that name`;
  const heads = loopHeads(code);
  for (const { host, cut, view } of points)
    if ((cut || heads.has(host)) && view !== undefined && views.get(view)?.seen !== undefined)
      return `the point at ${hex(host)} cuts the block with the view \`${view}\`, which does not see the whole guest`;
  const inside = points.find((p) => p.host === entry && p.view !== undefined && (p.cut || heads.has(p.host)));
  if (inside !== undefined)
    return `the entry cuts the block with the view \`${inside.view}\`: nothing has come before it`;
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
