/** What a translation must be before anything can be said of it. */
import { isDeepStrictEqual } from "node:util";
import type { TranslatorRefinement } from "../refinement.js";
import { unreachable } from "../errors.js";
import type { Exit, GuestBlock, HostCode, Translation } from "../translation.js";
import type { Code } from "./code.js";
import { hex } from "./regions.js";
import { widthOfValue } from "./trap-value.js";

/** What is wrong with the translation, in words; undefined where it is as the protocol says. */
export function problemOf(
  block: Pick<GuestBlock, "pc" | "code">,
  translation: Translation,
  code: Code,
  refinement: Pick<TranslatorRefinement, "guest" | "host" | "regions" | "views" | "limit">,
): string | undefined {
  const { guest, views, limit } = refinement;
  const { entry, points, faults, exits } = translation;
  const misplaced = misplacedIn(translation.host, limit);
  if (misplaced !== undefined) return misplaced;
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
  const twice = ambiguous("points", points) ?? ambiguous("exits", exits) ?? ambiguous("faults", faults);
  if (twice !== undefined) return twice;
  const entered = points.find((p) => p.host === entry && p.guest !== block.pc);
  if (entered !== undefined)
    return `\`points\` names the guest address ${hex(entered.guest)} at the entry, where the guest is at ${hex(block.pc)}`;
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
  for (const exit of exits) {
    const { trap } = exit;
    if (trap !== undefined && !guest.traps.some((t) => t.name === trap))
      return `\`exits\` names the trap \`${trap}\`, and ${guest.name} has none of that name`;
    const wrong = problemOfValue(exit, refinement);
    if (wrong !== undefined) return `\`exits\` tells a trap's value, ${wrong}`;
  }
  if (exits.length === 0) return "`exits` is empty: nothing would leave the code";
  return undefined;
}

/** What is wrong with where a trap's value is said to be. */
function problemOfValue(
  { trap, value }: Exit,
  { guest, host, regions }: Pick<TranslatorRefinement, "guest" | "host" | "regions">,
): string | undefined {
  if (value === undefined) return undefined;
  const width = trap === undefined ? undefined : widthOfValue(guest, trap);
  if (width === undefined)
    return trap === undefined ? "but names no trap" : `and \`${trap}\` of ${guest.name} has none`;
  switch (value.kind) {
    case "constant":
      return value.value < 1n << BigInt(width) ? undefined : `${hex(value.value)}, which has more than ${width} bits`;
    case "register": {
      const register = host.variables.find((v) => v.name === value.register && v.sort.kind === "bits");
      return register === undefined ? `in \`${value.register}\`, and ${host.name} has no such register` : undefined;
    }
    case "memory": {
      const region = regions.find((r) => r.name === value.region);
      if (region?.kind !== "based") return `in the region \`${value.region}\`, and the host has none of that name`;
      const inside = value.offset >= -region.below && value.offset + BigInt(value.bytes) <= region.size;
      return inside ? undefined : `outside the region \`${value.region}\``;
    }
    default:
      return unreachable(value);
  }
}

/** Code and data lie below the limit, and apart: otherwise nothing could be said of what memory holds there. */
function misplacedIn({ address, code, data }: HostCode, limit: bigint): string | undefined {
  const parts = [
    { what: "the code", lo: address, hi: address + BigInt(code.length) },
    ...data.map((d) => ({ what: "its data", lo: d.address, hi: d.address + BigInt(d.bytes.length) })),
  ];
  for (const [i, a] of parts.entries()) {
    if (a.hi > limit) return `${a.what} at ${hex(a.lo)} lies at the limit of the regions, ${hex(limit)}, or beyond`;
    const other = parts.slice(0, i).find((b) => a.lo < b.hi && b.lo < a.hi);
    if (other !== undefined) return `${a.what} at ${hex(a.lo)} overlaps ${other.what} at ${hex(other.lo)}`;
  }
  return undefined;
}

/** Entries that say different things of one place. */
function ambiguous(what: string, entries: readonly Place[]): string | undefined {
  let last: Place | undefined;
  for (const entry of [...entries].sort((a, b) => (a.host < b.host ? -1 : 1))) {
    if (last !== undefined && entry.host < endOf(last) && !isDeepStrictEqual(said(last), said(entry)))
      return `\`${what}\` says two things of the host address ${hex(entry.host)}: let it say one`;
    if (last === undefined || endOf(entry) > endOf(last)) last = entry;
  }
  return undefined;
}

/** An instruction, or all up to `until`. */
interface Place {
  readonly host: bigint;
  readonly until?: bigint | undefined;
}

function endOf({ host, until }: Place): bigint {
  return until ?? host + 1n;
}

function said({ host: _, until: __, ...rest }: Place): object {
  return rest;
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
