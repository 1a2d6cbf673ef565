/** Where the next instruction stands, and how the program counter moves on. */
import type { Parcels, Raise, Transition } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import { bits } from "../../../refinement/terms/sort.js";
import { substitute } from "../../../refinement/terms/substitute.js";
import type { Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import { coerce } from "../elaborate/coerce.js";
import { newContext } from "../elaborate/elaborator.js";
import { MAX_WIDTH, type NType } from "../elaborate/types.js";
import { type Val, describe, single } from "../elaborate/value.js";
import { PURE } from "../elaborate/world.js";
import type { BlockEntry, Definition, FetchEntry } from "../read/definition.js";
import type { Expression, RaiseStatement } from "../syntax/ast.js";
import { guarded } from "./guarded.js";
import { handled } from "./handler.js";
import { LENGTH_BITS, lengthsOf } from "./lengths.js";
import { MAX_BITS } from "./overlap.js";
import type { Elaboration, Next } from "./transitions.js";

export interface Fetch {
  readonly parcels: Parcels;
  /** Bits at one address. */
  readonly unit: number;
  /** Bits of the longest instruction. */
  readonly width: number;
  /** The whole word; zeros above an instruction that is shorter. */
  readonly word: Term;
  /** The word of an instruction of this length, and whether all its parcels may be fetched. */
  readonly wordOf: (length: number) => Term;
  readonly fetchableOf: (length: number) => Term;
  /** Whether the word may be fetched, whatever its length, and how it ends where it may not. */
  readonly fetchable: Term;
  readonly raises: readonly Raise[];
}

/** A parcel over the state before, and the traps that fetching it can end in. */
interface Parcel {
  readonly word: Term;
  readonly raises: readonly Raise[];
}

/** The one expression of an entry. */
function soleExpression(entry: BlockEntry): Expression | undefined {
  const [statement, ...more] = entry.block.statements;
  return statement?.kind === "expression" && more.length === 0 ? statement.expression : undefined;
}

export function fetchOf(
  entry: FetchEntry,
  elaboration: Elaboration,
  programCounter: string | undefined,
): Fetch | undefined {
  const { from } = entry;
  if (from === undefined) return undefined;
  const first = parcelAt(from, elaboration, programCounter, 0);
  if (first === undefined) return undefined;
  const { width } = scalarOf(first.word);
  // Elements of a file have addresses of their own, whatever their width; bytes have eight bits.
  const node = soleExpression(from);
  const element = node?.kind === "index";
  const bytes = width % 8 === 0 ? width / 8 : undefined;
  const length = element ? 1 : bytes;
  const parcels = parcelsOf(entry.length, elaboration, width, length, node?.kind === "call");
  if (parcels === undefined) return undefined;
  const longest = parcels.lengths.at(-1) ?? parcels.length;
  const list: Parcel[] = [first];
  for (let at = parcels.length; at < longest; at += parcels.length) {
    const parcel = parcelAt(from, elaboration, programCounter, at);
    if (parcel === undefined) return undefined;
    list.push(parcel);
  }
  return { unit: parcels.width / parcels.length, ...assemble(parcels, list) };
}

/** The parcels together: those from the second on count where the first says that there are as many. */
function assemble(parcels: Parcels, list: readonly Parcel[]): Omit<Fetch, "unit"> {
  const [first] = list;
  const length = substitute(
    parcels.instructionLength,
    new Map(first === undefined ? [] : [[parcels.first, first.word]]),
  );
  const counts = list.map((_, i) => build.ult(build.constant(LENGTH_BITS, BigInt(i * parcels.length)), length));
  counts[0] = build.TRUE;
  const raises = list.flatMap((parcel, i) =>
    parcel.raises.map((r) => ({ ...r, condition: build.and(counts[i] ?? build.TRUE, r.condition) })),
  );
  const none = (of: readonly Raise[]): Term => build.and(...of.map((r) => build.not(r.condition)), build.TRUE);
  const zero = build.constant(parcels.width, 0n);
  const word = (of: readonly Term[]): Term => {
    const [only, ...more] = of;
    return only !== undefined && more.length === 0 ? only : build.concat(...[...of].reverse());
  };
  const within = (bytes: number): readonly Parcel[] => list.slice(0, bytes / parcels.length);
  return {
    parcels,
    width: list.length * parcels.width,
    word: word(list.map((p, i) => build.ite(counts[i] ?? build.TRUE, p.word, zero))),
    wordOf: (bytes) => word(within(bytes).map((p) => p.word)),
    fetchableOf: (bytes) => none(within(bytes).flatMap((p) => p.raises)),
    fetchable: none(raises),
    raises,
  };
}

function scalarOf(word: Term): { readonly width: number } {
  return { width: word.sort.kind === "bits" ? word.sort.width : 1 };
}

/** What `from` gives where the program counter is `distance` further on. */
function parcelAt(
  from: BlockEntry,
  { world, diagnostics, budget }: Elaboration,
  programCounter: string | undefined,
  distance: number,
): Parcel | undefined {
  return guarded(diagnostics, from.place, () => {
    const permissions = { assign: false, raise: true, fetches: true, choices: undefined };
    const cx = newContext(world, diagnostics, from.unit, permissions, { budget });
    const here = programCounter === undefined ? undefined : cx.store.get(programCounter);
    if (distance > 0 && programCounter !== undefined && here?.sort.kind === "bits")
      cx.store.set(programCounter, build.add(here, build.constant(here.sort.width, BigInt(distance))));
    const value = cx.evaluateBlock(from.block, undefined);
    if (value.kind === "wrong") return undefined;
    const [word] = value.kind === "typed" ? value.terms : [];
    if (value.kind !== "typed" || value.type.kind !== "bits" || word === undefined) {
      diagnostics.report(
        "E_FETCH",
        from.place,
        `\`from\` is a word of memory, as in mem[pc, 4], of a file, as in rom[pc], or what a function of the program counter gives; this is ${describe(value)}`,
      );
      return undefined;
    }
    return { word, raises: cx.raises };
  });
}

/**
 * The lengths that `length` says: none said is one parcel, a number must be that, and an expression of the first parcel,
 * `word`, must give multiples of it.
 */
function parcelsOf(
  entry: BlockEntry | undefined,
  { world, diagnostics, budget }: Elaboration,
  width: number,
  natural: number | undefined,
  /** `from` is a function, of which one cannot tell whether it reads bytes or an element. */
  open: boolean,
): Parcels | undefined {
  const first = build.variable("fetch(word)", bits(width));
  const fixed = (length: number): Parcels => ({
    width,
    length,
    first,
    instructionLength: build.constant(LENGTH_BITS, BigInt(length)),
    lengths: [length],
  });
  if (entry === undefined) return fixed(natural ?? 1);
  return guarded(diagnostics, entry.place, () => {
    const cx = newContext(world, diagnostics, entry.unit, PURE, { budget });
    cx.withoutState = true;
    const type: NType = { kind: "bits", width };
    const value: Val = { kind: "typed", type, terms: [first] };
    cx.scope.define("word", { kind: "value", value, what: "the first parcel" });
    const found = cx.evaluateBlock(entry.block, { kind: "bits", width: LENGTH_BITS });
    const span = entry.block.statements.at(-1)?.span ?? entry.block.span;
    if (found.kind === "int") {
      const length = natural ?? 1;
      if (found.value === BigInt(length)) return fixed(length);
      if (open && found.value === 1n) return fixed(1);
      const what =
        natural === undefined || natural * 8 !== width ? "is 1 where instructions are elements of a file" : undefined;
      cx.report(
        "E_FETCH",
        span,
        what === undefined
          ? `\`length\` is ${found.value} and \`from\` reads ${length} bytes; make them agree`
          : `\`length\` ${what}`,
      );
      return undefined;
    }
    const length = coerce(cx, found, { kind: "bits", width: LENGTH_BITS }, span, "`length`");
    if (length === undefined) return undefined;
    const unit = natural ?? 1;
    const instructionLength = single(length);
    const lengths = lengthsOf(instructionLength, first);
    if (lengths === undefined) {
      cx.report("E_FETCH", span, `\`length\` looks at more than ${MAX_BITS} bits of the first parcel; fewer must tell`);
      return undefined;
    }
    const odd = lengths.find((l) => l === 0 || l % unit !== 0 || (l / unit) * width > MAX_WIDTH);
    if (odd !== undefined) {
      cx.report(
        "E_FETCH",
        span,
        `\`length\` can be ${odd}; an instruction has one or more parcels of ${unit}, and at most ${MAX_WIDTH} bits`,
      );
      return undefined;
    }
    return { width, length: unit, first, instructionLength, lengths };
  });
}

export function nextOf(
  definition: Definition,
  { world, diagnostics }: Elaboration,
  fetch: FetchEntry,
): Next | undefined {
  const { next } = definition;
  if (next === undefined) {
    diagnostics.report(
      "E_FETCH",
      fetch.place,
      "a machine with instructions needs `next`: how the program counter advances, as in pc = pc + length",
    );
    return undefined;
  }
  for (const statement of next.block.statements) {
    if (statement.kind !== "assign" || statement.target.kind !== "name") continue;
    const { name } = statement.target;
    if (world.state.get(name)?.type.kind === "bits")
      return { entry: next, programCounter: name, retire: definition.retire };
    const known = [...world.state].filter(([, d]) => d.type.kind === "bits").map(([n]) => n);
    diagnostics.report(
      "E_FETCH",
      next.unit.source.place(statement.target.span.start),
      `\`next\` assigns \`${name}\`, which is no state variable of bits${didYouMean(name, known)}`,
    );
    return undefined;
  }
  diagnostics.report("E_FETCH", next.place, "`next` must assign the program counter, as in pc = pc + length");
  return undefined;
}

/** `illegal: name(args)` raises that trap; `word` is the word that is no instruction. */
export function illegalEffect(elaboration: Elaboration, entry: BlockEntry, fetch: Fetch): Transition["effect"] {
  const nothing = { raises: [], assigns: new Map<string, Term>() };
  const node = soleExpression(entry);
  if (node?.kind !== "call" && node?.kind !== "name") {
    elaboration.diagnostics.report(
      "E_FETCH",
      entry.place,
      "`illegal` is the trap that a word which is no instruction raises, as in illegal_instruction(word)",
    );
    return nothing;
  }
  const raise: RaiseStatement =
    node.kind === "call"
      ? { kind: "raise", trap: node.callee, arguments: node.arguments, span: node.span }
      : { kind: "raise", trap: { name: node.name, span: node.span }, arguments: [], span: node.span };
  const found = guarded(elaboration.diagnostics, entry.place, () => {
    const { world, diagnostics, budget } = elaboration;
    const cx = newContext(
      world,
      diagnostics,
      entry.unit,
      { assign: false, raise: true, choices: undefined },
      { budget },
    );
    cx.scope.define("word", {
      kind: "value",
      value: { kind: "typed", type: { kind: "bits", width: fetch.width }, terms: [fetch.word] },
      what: "the fetched word",
    });
    cx.execute({ statements: [raise], span: raise.span });
    return handled(elaboration, { raises: cx.raises, assigns: new Map<string, Term>() });
  });
  return found ?? nothing;
}
