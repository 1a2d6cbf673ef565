/**
 * Host code of which some bytes hold an open number. How an instruction is decoded must not depend on them: that they hold a number of
 * it and nothing else is seen by decoding it with others in their place (no more than an immediate's or a displacement's value can
 * depend on those bytes, Intel's Software Developer's Manual, volume 2, chapter 2), and the number is read from them as the decoder does.
 */
import type { DecodedInstruction } from "../decoded.js";
import type { Decode } from "../execute/decoded.js";
import type { DecodedForm, DecodedInstructionSet } from "../machine.js";
import { extract, sext } from "../terms/build.js";
import type { Term } from "../terms/term.js";
import type { Hole } from "../translation.js";

export class Holes {
  /** What is wrong with holes that were met: those hold no number. */
  readonly problems: string[] = [];
  private readonly holes: readonly Hole[];
  private readonly fits: ReadonlyMap<Term, Term>;
  private readonly set: DecodedInstructionSet;
  private readonly decode: Decode;
  private readonly met = new Set<Hole>();

  /** `fits`: numbers that their low bits are known to give, by what those are extended to. */
  constructor(holes: readonly Hole[], fits: ReadonlyMap<Term, Term>, set: DecodedInstructionSet, decode: Decode) {
    this.holes = holes;
    this.fits = fits;
    this.set = set;
    this.decode = decode;
  }

  /** The numbers of the instruction at `offset` that are open, by the form's parameters. */
  numbersAt(offset: number, instruction: DecodedInstruction, form: DecodedForm): readonly (readonly [Term, Term])[] {
    const end = offset + instruction.length;
    return this.holes.flatMap((hole) => {
      if (hole.at + hole.bytes <= offset || hole.at >= end) return [];
      this.met.add(hole);
      const at = hole.at - offset;
      const which = at < 0 || hole.at + hole.bytes > end ? undefined : this.numberIn(instruction, form, at, hole.bytes);
      const parameter = which === undefined ? undefined : form.parameters[which];
      if (parameter === undefined) {
        this.problems.push(`the ${hole.bytes} bytes at offset ${hole.at} are no number of the instruction there`);
        return [];
      }
      return [[parameter.term, this.read(hole, parameter.term)] as const];
    });
  }

  /** Holes that lie in no instruction that was decoded. */
  get idle(): readonly Hole[] {
    return this.holes.filter((hole) => !this.met.has(hole));
  }

  /** The low bytes of the hole's value, extended; which is the value itself where it is known to fit. */
  private read({ bytes, value }: Hole, { sort }: Term): Term {
    const width = sort.kind === "bits" ? sort.width : 1;
    const held = sext(extract(value, 8 * bytes - 1, 0), 64);
    return extract(this.fits.get(held) ?? held, width - 1, 0);
  }

  /** The parameter whose value the bytes hold; undefined where they are anything else. */
  private numberIn(instruction: DecodedInstruction, form: DecodedForm, at: number, bytes: number): number | undefined {
    const key = `${at} ${bytes} ${instruction.bytes.map((b, i) => (i >= at && i < at + bytes ? 0 : b)).join()}`;
    const known = numbers.get(form)?.get(key);
    if (known !== undefined) return known < 0 ? undefined : known;
    const found = this.probe(instruction, form, at, bytes);
    const ofForm = numbers.get(form) ?? new Map<string, number>();
    numbers.set(form, ofForm.set(key, found ?? -1));
    return found;
  }

  private probe(instruction: DecodedInstruction, form: DecodedForm, at: number, bytes: number): number | undefined {
    const before = form.values(instruction);
    let found: number | undefined;
    for (const pattern of PATTERNS) {
      const changed = Uint8Array.from(instruction.bytes);
      for (let i = 0; i < bytes; i++) changed[at + i] = pattern(i, bytes);
      const reading = this.decode(changed);
      if (reading.kind !== "instruction" || reading.instruction.length !== instruction.length) return undefined;
      if (this.set.form(reading.instruction) !== form) return undefined;
      const after = form.values(reading.instruction);
      const differing = after.flatMap((value, i) => (value === before[i] ? [] : [i]));
      if (differing.some((i) => found !== undefined && found !== i) || differing.length > 1) return undefined;
      found ??= differing[0];
      if (found !== undefined && after[found] !== heldValue(changed, at, bytes, form.parameters[found]?.term))
        return undefined;
    }
    return found;
  }
}

/** By form, and the instruction's other bytes: the parameter whose value some bytes hold, -1 where they hold none. */
const numbers = new WeakMap<DecodedForm, Map<string, number>>();

/** Bytes to decode with: zero, all ones, one, the most negative, mixed. */
const PATTERNS: readonly ((i: number, bytes: number) => number)[] = [
  () => 0,
  () => 0xff,
  (i) => (i === 0 ? 1 : 0),
  (i, bytes) => (i === bytes - 1 ? 0x80 : 0),
  (i) => (0x35 + 0x2b * i) & 0xff,
];

function heldValue(code: Uint8Array, at: number, bytes: number, parameter: Term | undefined): bigint {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(code[at + i] ?? 0);
  const width = parameter?.sort.kind === "bits" ? parameter.sort.width : 64;
  return BigInt.asUintN(width, BigInt.asIntN(8 * bytes, value));
}
