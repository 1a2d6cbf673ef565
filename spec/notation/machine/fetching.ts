/** Where the next instruction stands, and how the program counter moves on. */
import type { Transition } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import { newContext } from "../elaborate/elaborator.js";
import { memoryAccess } from "../elaborate/parts.js";
import { placeOf, readPlace } from "../elaborate/places.js";
import { typeToString } from "../elaborate/types.js";
import { PURE } from "../elaborate/world.js";
import type { BlockEntry, Definition, FetchEntry } from "../read/definition.js";
import type { Expression, RaiseStatement } from "../syntax/ast.js";
import { guarded } from "./guarded.js";
import type { Elaboration, Next } from "./transitions.js";

export interface Fetch {
  readonly word: Term;
  readonly fetchable: Term;
  readonly width: number;
  readonly length: number;
  /** The trap that an inaccessible word raises, and its argument. */
  readonly fault: { readonly trap: string; readonly arguments: readonly Term[] } | undefined;
}

/** The one expression of an entry. */
function soleExpression(entry: BlockEntry): Expression | undefined {
  const [statement, ...more] = entry.block.statements;
  return statement?.kind === "expression" && more.length === 0 ? statement.expression : undefined;
}

export function fetchOf(entry: FetchEntry, { world, diagnostics, budget }: Elaboration): Fetch | undefined {
  const { from } = entry;
  if (from === undefined) return undefined;
  const node = soleExpression(from);
  const cx = newContext(world, diagnostics, from.unit, PURE, { budget });
  if (node?.kind === "access") {
    const place = placeOf(cx, node.base);
    const state = place.kind === "place" ? place.place.state : undefined;
    const at = memoryAccess(
      cx,
      node,
      place.kind === "place" ? readPlace(cx, place.place) : cx.evaluate(node.base, undefined),
    );
    if (at === undefined) return undefined;
    if (state === undefined) {
      diagnostics.report("E_FETCH", from.place, "instructions are fetched from a memory or file of the state");
      return undefined;
    }
    const length = entry.length ?? BigInt(at.bytes);
    if (length !== BigInt(at.bytes))
      diagnostics.report(
        "E_FETCH",
        entry.lengthPlace,
        `\`length\` is ${length} and \`from\` reads ${at.bytes} bytes; make them agree`,
      );
    const trap = state.faults.fetch;
    const declaration = world.trap?.table.traps.find((t) => t.name === trap);
    const fault =
      declaration === undefined
        ? undefined
        : { trap: declaration.name, arguments: declaration.parameters.length === 0 ? [] : [at.address] };
    return {
      word: build.load(at.memory, at.address, at.bytes),
      fetchable: fault === undefined ? build.TRUE : build.accessible(at.memory, "fetch", at.address, at.bytes),
      width: at.bytes * 8,
      length: at.bytes,
      fault,
    };
  }
  const value = node === undefined ? undefined : cx.evaluate(node, undefined);
  if (value?.kind === "wrong") return undefined;
  const [word] = value?.kind === "typed" ? value.terms : [];
  if (node?.kind !== "index" || value?.kind !== "typed" || value.type.kind !== "bits" || word === undefined) {
    const found = value?.kind === "typed" ? `; this is ${typeToString(value.type)}` : "";
    diagnostics.report(
      "E_FETCH",
      from.place,
      `\`from\` is a word of memory, as in mem[pc, 4], or of a file, as in rom[pc]${found}`,
    );
    return undefined;
  }
  if (entry.length !== undefined && entry.length !== 1n)
    diagnostics.report("E_FETCH", entry.lengthPlace, "`length` is 1 where instructions are elements of a file");
  return { word, fetchable: build.TRUE, width: value.type.width, length: 1, fault: undefined };
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
      "a machine with instructions needs `next`: how the program counter advances, as in pc = pc + 4",
    );
    return undefined;
  }
  for (const statement of next.block.statements) {
    if (statement.kind !== "assign" || statement.target.kind !== "name") continue;
    const { name } = statement.target;
    if (world.state.get(name)?.type.kind === "bits") return { entry: next, programCounter: name };
    const known = [...world.state].filter(([, d]) => d.type.kind === "bits").map(([n]) => n);
    diagnostics.report(
      "E_FETCH",
      next.unit.source.place(statement.target.span.start),
      `\`next\` assigns \`${name}\`, which is no state variable of bits${didYouMean(name, known)}`,
    );
    return undefined;
  }
  diagnostics.report("E_FETCH", next.place, "`next` must assign the program counter, as in pc = pc + 4");
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
    return { raises: cx.raises, assigns: new Map<string, Term>() };
  });
  return found ?? nothing;
}
