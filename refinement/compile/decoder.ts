/**
 * Instruction words to instructions in generated code: look up a run of bits that all remaining candidates fix, until few
 * are left; those are compared whole.
 */
import type { Instruction } from "../machine.js";
import type { FunctionBuilder } from "./wasm.js";

const FEW = 3;
/** Bits looked up at once, at most. */
const RUN = 7;

/** A run of adjacent set bits, the longest (lowest first). */
function longestRun(bits: bigint): { readonly lo: number; readonly width: number } {
  let best = { lo: 0, width: 0 };
  let width = 0;
  const length = bits.toString(2).length;
  for (let i = 0; i <= length; i++) {
    if (((bits >> BigInt(i)) & 1n) === 1n) width++;
    else {
      if (width > best.width) best = { lo: i - width, width };
      width = 0;
    }
  }
  return { lo: best.lo, width: Math.min(best.width, RUN) };
}

/**
 * Generates the search for the word whose low 64 bits are in the i64 local `word`. `found` generates what happens for an instruction; it leaves
 * the function if it takes the word, else the search goes on. Falls through where no instruction takes it.
 */
export function emitDecoder(
  code: FunctionBuilder,
  word: number,
  instructions: readonly Instruction[],
  found: (instruction: Instruction) => void,
): void {
  node(instructions, 0n);

  function node(candidates: readonly Instruction[], tested: bigint): void {
    const common = candidates.reduce((mask, i) => mask & i.encoding.mask, ~tested & ((1n << 64n) - 1n));
    if (candidates.length <= FEW || common === 0n) {
      for (const candidate of candidates) leaf(candidate);
      return;
    }
    const { lo, width } = longestRun(common);
    const run = ((1n << BigInt(width)) - 1n) << BigInt(lo);
    const groups = new Map<number, Instruction[]>();
    for (const candidate of candidates) {
      const key = Number((candidate.encoding.match & run) >> BigInt(lo));
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [candidate]);
      else group.push(candidate);
    }
    code.block((end) => {
      const keys = [...groups.keys()].sort((a, b) => a - b);
      const labels = new Map<number, { depth: number }>();
      const nest = (i: number): void => {
        const key = keys[i];
        if (key === undefined) {
          code.get(word);
          code.i64(BigInt(lo));
          code.emit("i64.shr_u", "i32.wrap_i64");
          code.i32(2 ** width - 1);
          code.emit("i32.and");
          code.brTable(
            Array.from({ length: 2 ** width }, (_, k) => labels.get(k) ?? end),
            end,
          );
          return;
        }
        code.block((label) => {
          labels.set(key, label);
          nest(i + 1);
        });
        node(groups.get(key) ?? [], tested | run);
        code.br(end);
      };
      nest(0);
    });
  }

  function leaf(candidate: Instruction): void {
    code.get(word);
    code.i64(BigInt.asUintN(64, candidate.encoding.mask));
    code.emit("i64.and");
    code.i64(BigInt.asUintN(64, candidate.encoding.match));
    code.emit("i64.eq");
    code.if(() => found(candidate));
  }
}
