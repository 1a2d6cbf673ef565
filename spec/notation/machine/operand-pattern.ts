/** `operands: dst, src: memory 8|16`: what the operands of a decoded instruction are called and may be. */
import type { DecodedInstruction, Operand } from "../../../refinement/decoded.js";
import type { DecodedBlock, OperandKind, OperandPattern } from "../../../refinement/machine.js";
import type { Diagnostics } from "../diagnostics.js";
import type { InstructionEntry } from "../read/definition.js";
import { assignedNames } from "./field-widths.js";

const KINDS: readonly OperandKind[] = ["register", "memory", "immediate", "address", "target"];
const WIDTHS: readonly number[] = [8, 16, 32, 64];

function isKind(word: string): word is OperandKind {
  return KINDS.some((k) => k === word);
}

/** The block that an entry is, as far as it can be read. */
export function blockOf(entry: InstructionEntry, diagnostics: Diagnostics): DecodedBlock {
  const assigned = entry.execute === undefined ? new Set<string>() : assignedNames(entry.execute.block);
  const operands: OperandPattern[] = [];
  const text = entry.operands?.text.trim() ?? "";
  const place = entry.operands?.place ?? entry.place;
  for (const part of text === "none" || text === "" ? [] : text.split(",")) {
    const found = /^\s*([A-Za-z_]\w*)\s*(?::\s*([\w\s|]+?))?\s*$/.exec(part);
    const name = found?.[1];
    const words = found?.[2]?.split(/[\s|]+/) ?? [];
    const wrong = words.find((w) => !isKind(w) && !/^[1-9]\d{0,3}$/.test(w));
    if (name === undefined || wrong !== undefined) {
      const what = wrong === undefined ? part.trim() : wrong;
      diagnostics.report(
        "E_SYNTAX",
        place,
        `\`${what}\` is no operand: a name, and after a colon what it may be, as in dst, src: register|memory 8|16 (${KINDS.join(", ")})`,
      );
      continue;
    }
    if (operands.some((o) => o.name === name))
      diagnostics.report("E_DUPLICATE", place, `the operand \`${name}\` stands twice`);
    const kinds = words.filter(isKind);
    const widths = words.filter((w) => !isKind(w)).map(Number);
    operands.push({
      name,
      kinds:
        kinds.length > 0 ? kinds : assigned.has(name) ? ["register", "memory"] : ["register", "memory", "immediate"],
      widths: widths.length > 0 ? widths : undefined,
    });
  }
  const widths = entry.widths?.map((w) => Number(w.text)) ?? WIDTHS;
  return { name: entry.name, mnemonic: entry.mnemonic ?? entry.name, operands, widths, line: entry.place.line };
}

function kindOf(operand: Operand): OperandKind {
  return operand.kind === "memory" && operand.width === 0 ? "address" : operand.kind;
}

/** Whether the pattern's operand takes its width from the others. */
function isUniform(pattern: OperandPattern): boolean {
  return pattern.widths === undefined && !pattern.kinds.every((k) => k === "address" || k === "target");
}

/** Whether a block is for such operands. */
export function accepts(block: DecodedBlock, { operands }: Pick<DecodedInstruction, "operands">): boolean {
  if (block.operands.length !== operands.length) return false;
  let uniform: number | undefined;
  return block.operands.every((pattern, i) => {
    const operand = operands[i];
    if (operand === undefined || !pattern.kinds.includes(kindOf(operand))) return false;
    if (operand.kind === "target" || (operand.kind === "memory" && operand.width === 0)) return true;
    if (pattern.widths !== undefined) return pattern.widths.includes(operand.width);
    if (uniform === undefined) uniform = operand.width;
    return uniform === operand.width && block.widths.includes(uniform);
  });
}

/** Whether some operands are for both blocks. */
export function overlap(a: DecodedBlock, b: DecodedBlock): boolean {
  if (a.mnemonic !== b.mnemonic || a.operands.length !== b.operands.length) return false;
  return a.operands.every((p, i) => {
    const q = b.operands[i];
    if (q === undefined || !p.kinds.some((k) => q.kinds.includes(k))) return false;
    const [left, right] = [p.widths ?? a.widths, q.widths ?? b.widths];
    return !isUniform(p) || !isUniform(q)
      ? p.kinds.includes("target") || left.some((w) => right.includes(w))
      : left.some((w) => right.includes(w));
  });
}

const NONE = { lock: false, rep: "none" } as const;

/** Instructions that a block is for: of every width, and with each operand once in memory where it can be. */
export function* samples(block: DecodedBlock): Generator<DecodedInstruction> {
  const uniform = block.operands.some(isUniform) ? block.widths : [undefined];
  const sizes = uniform.flatMap((width) =>
    choices(block.operands.map((p) => (isUniform(p) && width !== undefined ? [width] : (p.widths ?? [0])))),
  );
  const first = block.operands.map((p) => p.kinds[0] ?? "register");
  const kinds = block.operands.flatMap((p, i) =>
    p.kinds.includes("memory") && first[i] !== "memory" ? [first.map((k, j) => (i === j ? "memory" : k))] : [],
  );
  kinds.unshift(first);
  for (let n = 0; n < Math.max(sizes.length, kinds.length); n++) {
    const widths = sizes[n % sizes.length] ?? [];
    const operands = (kinds[n % kinds.length] ?? []).map((kind, i) => sampleOperand(kind, widths[i] ?? 64, i));
    yield {
      mnemonic: block.mnemonic,
      length: 4,
      prefixes: NONE,
      operandSize: sizeOf(widths[block.operands.findIndex(isUniform)] ?? widths[0] ?? 64),
      addressSize: 64,
      operands,
      bytes: new Uint8Array(4),
    };
  }
}

function choices<T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] {
  return lists.reduce<readonly (readonly T[])[]>((done, list) => done.flatMap((d) => list.map((x) => [...d, x])), [[]]);
}

function sizeOf(width: number): 8 | 16 | 32 | 64 {
  return width === 8 || width === 16 || width === 32 ? width : 64;
}

function sampleOperand(kind: OperandKind, width: number, i: number): Operand {
  switch (kind) {
    case "register":
      return { kind, file: "gpr", index: i, width: sizeOf(width), high: false };
    case "immediate":
      return { kind, value: 1n, width: sizeOf(width) };
    case "target":
      return { kind, displacement: 0n };
    default:
      return {
        kind: "memory",
        width: kind === "address" ? 0 : width === 128 ? 128 : sizeOf(width),
        segment: "none",
        stack: false,
        base: 3,
        index: undefined,
        scale: 1,
        displacement: 0n,
        addressSize: 64,
      };
  }
}
