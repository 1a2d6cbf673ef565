/**
 * The paths of a translator's answer for an open block as pairs of guest and host code to be held against each other. Paths whose host
 * instructions are the same, and differ in nothing but how they are encoded, are one pair.
 */
import { InternalDefect } from "../errors.js";
import type { Decode } from "../execute/decoded.js";
import type { TranslatorRefinement } from "../refinement.js";
import { eq } from "../terms/build.js";
import { Substitution } from "../terms/substitute.js";
import type { Term } from "../terms/term.js";
import type { OpenTranslation } from "../translation.js";
import { Code } from "./code.js";
import { OpenGuestCode } from "./guest.js";
import { Holes } from "./holes.js";
import { type OpenCode, withRegisters } from "./open-block.js";
import type { OpenPaths, Written } from "./open-paths.js";
import type { Pair } from "./obligations.js";
import { mapTrapValue } from "./trap-value.js";

/** Some paths, and what is to be shown of all of them. */
export interface OpenPair {
  readonly pair: Pair;
  readonly paths: readonly Written[];
  /** Host addresses of each path's instructions, one after another. */
  readonly instructions: readonly (readonly bigint[])[];
}

/** Or what is wrong with a path's code, in words. */
export function openPairs(
  refinement: TranslatorRefinement,
  name: string,
  { code, paths }: Extract<OpenPaths, { kind: "paths" }>,
  decode: Decode,
): readonly OpenPair[] | string {
  const pairing = new Pairing(refinement, code, decode);
  const groups = new Map<string, { readonly path: Written; readonly addresses: readonly bigint[] }[]>();
  for (const path of paths) {
    const read = pairing.read(path);
    if (typeof read === "string") return read;
    const group = groups.get(read.essence) ?? [];
    groups.set(read.essence, group);
    group.push({ path, addresses: read.addresses });
  }
  return [...groups.values()].map((group, i) => ({
    pair: pairing.pair(
      i === 0 ? name : `${name} #${i + 1}`,
      group.map((g) => g.path),
    ),
    paths: group.map((g) => g.path),
    instructions: group.map((g) => g.addresses),
  }));
}

class Pairing {
  private readonly refinement: TranslatorRefinement;
  private readonly code: OpenCode;
  private readonly decode: Decode;

  constructor(refinement: TranslatorRefinement, code: OpenCode, decode: Decode) {
    this.refinement = refinement;
    this.code = code;
    this.decode = decode;
  }

  /** What the path's host code does, whatever its encoding; and where its instructions stand. */
  read({ fits, translation }: Written): { readonly essence: string; readonly addresses: bigint[] } | string {
    const holes = this.holes(translation, fits);
    const host = new Code(this.refinement, translation, this.decode, holes);
    const addresses = [...host.boundaries()];
    const index = new Map(addresses.map((a, i) => [a, i]));
    const lines = addresses.map((address) => line(host, address, index));
    const [problem] = holes.problems;
    if (problem !== undefined) return problem;
    const [idle] = holes.idle;
    if (idle !== undefined) return `the hole at offset ${idle.at} is in no instruction`;
    const { points, faults, exits } = translation;
    const named = [
      ...points.map((p) => ["point", index.get(p.host), p.guest.id, p.cut]),
      ...faults.map((f) => ["fault", index.get(f.host), f.until === undefined ? "" : index.get(f.until), f.guest.id]),
      ...exits.map((e) => [
        "exit",
        index.get(e.host),
        e.guest?.id,
        e.interrupt,
        e.trap,
        mapTrapValue(e.value, (v) => v.id),
      ]),
    ];
    // What is not read one instruction after another is like nothing but itself.
    const rest = translation.host.code.subarray(Number(endOf(host, addresses) - translation.host.address));
    return { essence: JSON.stringify([lines, named, [...rest]]), addresses };
  }

  /** The first path's code, under what all of them know, with its values for registers: others do no more than name other ones. */
  pair(name: string, paths: readonly Written[]): Pair {
    const [first, ...others] = paths;
    if (first === undefined) throw new InternalDefect("a pair has a path");
    const { code, put } = withRegisters(this.code, first.values);
    const common = first.decided.filter((t) => others.every((o) => o.decided.includes(t)));
    const fitting = [...first.fits].filter(([narrow]) => others.every((o) => o.fits.has(narrow)));
    const isFit = (t: Term): boolean => fitting.some(([narrow, whole]) => eq(narrow, whole) === t);
    const translation = substituted(first.translation, put);
    const holes = this.holes(translation, substitutedMap(first.fits, put));
    return {
      name,
      guest: new OpenGuestCode(this.refinement.guest, code.pc, code.instructions),
      translation,
      code: new Code(this.refinement, translation, this.decode, holes),
      given: [...code.given, ...common.filter((t) => !isFit(t)).map((t) => put.apply(t))],
      further: common.filter(isFit).map((t) => put.apply(t)),
      equal: new Substitution(substitutedMap(new Map(fitting), put)),
    };
  }

  private holes({ holes }: OpenTranslation, fits: ReadonlyMap<Term, Term>): Holes {
    const set = this.refinement.host.decoded;
    if (set === undefined) throw new InternalDefect("the host has no decoder");
    return new Holes(holes, fits, set, this.decode);
  }
}

function substituted(translation: OpenTranslation, put: Substitution): OpenTranslation {
  return { ...translation, holes: translation.holes.map((h) => ({ ...h, value: put.apply(h.value) })) };
}

function substitutedMap(map: ReadonlyMap<Term, Term>, put: Substitution): ReadonlyMap<Term, Term> {
  return new Map([...map].map(([key, value]) => [put.apply(key), put.apply(value)]));
}

/** Behind the last of some instructions. */
function endOf(host: Code, addresses: readonly bigint[]): bigint {
  const last = addresses.at(-1);
  const fetched = last === undefined ? undefined : host.at(last);
  return fetched?.kind === "instruction" ? fetched.address + BigInt(fetched.instruction.length) : host.host.address;
}

/** An instruction without its encoding: targets are told by the number of the instruction there. */
function line(host: Code, address: bigint, index: ReadonlyMap<bigint, number>): readonly unknown[] {
  const fetched = host.at(address);
  if (fetched.kind !== "instruction") return [fetched.kind];
  const { instruction, form, numbers } = fetched;
  const operands = instruction.operands.map((o) => {
    switch (o.kind) {
      case "register":
        return [o.index, o.width, o.high];
      case "target":
        return index.get(address + BigInt(instruction.length) + o.displacement) ?? "outside";
      case "immediate":
        return o.width;
      default:
        return [o.width, o.segment, o.stack, o.base, o.index, o.scale, o.addressSize];
    }
  });
  const jumps = instruction.operands.some((o) => o.kind === "target");
  const values = form.parameters.filter((p) => p.name !== "length").map((p) => numbers.get(p.term)?.id);
  return [form.block.name, instruction.prefixes, operands, jumps ? [] : values];
}
