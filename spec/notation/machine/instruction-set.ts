/** Instructions: encodings, fetching, and a transition for each. */
import type { Encoding, Field, Instruction, InstructionSet, Transition } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { newContext } from "../elaborate/elaborator.js";
import { memoryAccess } from "../elaborate/parts.js";
import { placeOf, readPlace } from "../elaborate/places.js";
import { FieldUse } from "../elaborate/scope.js";
import { typeToString } from "../elaborate/types.js";
import { PURE } from "../elaborate/world.js";
import type { BlockEntry, Definition, FetchEntry, InstructionEntry } from "../read/definition.js";
import type { Expression, RaiseStatement, RowPart } from "../syntax/ast.js";
import { type Layout, fieldOfWord, layOut, matches, readRow } from "./encoding.js";
import { usedWidth } from "./field-widths.js";
import { guarded } from "./guarded.js";
import { type Encoded, overlap } from "./overlap.js";
import { type Body, type Elaboration, type Given, type Next, conditionOf, effectOf, untrapped } from "./transitions.js";

interface Fetch {
  readonly word: Term;
  readonly fetchable: Term;
  readonly width: number;
  readonly length: number;
  /** The trap that an inaccessible word raises, and its argument. */
  readonly fault: { readonly trap: string; readonly arguments: readonly Term[] } | undefined;
}

export interface Elaborated {
  readonly set: InstructionSet;
  readonly transitions: readonly Transition[];
}

export function instructionSet(
  definition: Definition,
  plain: Elaboration,
  names: RegisterNames,
): Elaborated | undefined {
  const { diagnostics } = plain;
  const operands = definition.instructions.find((i) => i.operands !== undefined && i.encoding === undefined);
  if (operands !== undefined) {
    diagnostics.report(
      "E_UNSUPPORTED",
      operands.place,
      `\`${operands.name}\` names operands instead of an encoding; no decoder library is connected${definition.decoder === undefined ? ", and the machine names none" : ` for \`${definition.decoder.name}\``}`,
    );
    return undefined;
  }
  const { fetch: fetchEntry } = definition;
  if (fetchEntry === undefined) {
    const [first] = definition.instructions;
    diagnostics.report(
      "E_FETCH",
      first?.place ?? definition.place,
      'a machine with instructions needs `fetch`: where the next one stands, as in { from: "mem[pc, 4]", length: 4 }',
    );
  }
  const rows = readRows(definition, plain);
  const elaboration: Elaboration = {
    ...plain,
    fields: new Set([...rows.values()].flat().flatMap((p) => (p.kind === "field" ? [p.name] : []))),
  };
  const fetch = fetchEntry === undefined ? undefined : fetchOf(fetchEntry, elaboration);
  const next = fetchEntry === undefined ? undefined : nextOf(definition, elaboration, fetchEntry);
  const layouts = fetch === undefined ? new Map<InstructionEntry, Layout>() : layoutAll(rows, elaboration, fetch.width);
  for (const entry of definition.instructions) if (!layouts.has(entry)) checkBody(entry, rows.get(entry), elaboration);
  if (fetchEntry === undefined || fetch === undefined || next === undefined) return undefined;
  const instructions: Instruction[] = [];
  const transitions: Transition[] = [];
  const encoded: { entry: InstructionEntry; encoding: Encoded }[] = [];
  const fieldFiles = new Map<string, ReadonlyMap<string, string>>();
  const noWord: Term[] = [];
  const ready = build.and(untrapped(elaboration.world), fetch.fetchable);
  for (const entry of definition.instructions) {
    const layout = layouts.get(entry);
    if (layout === undefined) continue;
    checkAssembly(entry, layout, diagnostics);
    const uses = new Map(layout.fields.map((f) => [f.name, new FieldUse()] as const));
    const asFields = layout.fields.map((f): Given => given(f, f.term, uses.get(f.name)));
    const asBits = layout.fields.map((f): Given => given(f, fieldOfWord(f, fetch.word), undefined));
    const abstract = effectOf(elaboration, entry.execute, entry.name, asFields, next);
    const concrete: Body = effectOf(elaboration, entry.execute, entry.name, asBits, next);
    const constraint = constraintOf(elaboration, entry, asFields);
    const encoding: Encoding = { ...layout, ...(constraint === undefined ? {} : { constraint }) };
    const instruction: Instruction = {
      name: entry.name,
      encoding,
      assembly: entry.assembly?.text.trim(),
      choices: abstract.choices,
      effect: abstract.effect,
      line: entry.place.line,
    };
    instructions.push(instruction);
    encoded.push({ entry, encoding: { ...layout, constraint } });
    const is = build.and(matches(layout, fetch.word), constraintOf(elaboration, entry, asBits) ?? build.TRUE);
    noWord.push(build.not(is));
    transitions.push({
      name: entry.name,
      parameters: [],
      choices: concrete.choices,
      guard: build.and(ready, is),
      effect: concrete.effect,
      instruction,
    });
    fieldFiles.set(entry.name, filesOf(uses));
  }
  reportOverlaps(encoded, diagnostics);
  if (fetch.fault !== undefined) {
    const effect = { raises: [{ condition: build.TRUE, ...fetch.fault }], assigns: new Map<string, Term>() };
    const guard = build.and(untrapped(elaboration.world), build.not(fetch.fetchable));
    transitions.push({ name: "fetch_fault", parameters: [], choices: [], guard, effect, instruction: undefined });
  }
  if (fetchEntry.illegal !== undefined) {
    const effect = illegalEffect(elaboration, fetchEntry.illegal, fetch);
    transitions.push({
      name: "illegal",
      parameters: [],
      choices: [],
      guard: build.and(ready, ...noWord),
      effect,
      instruction: undefined,
    });
  }
  const set: InstructionSet = {
    programCounter: next.programCounter,
    word: fetch.word,
    fetchable: fetch.fetchable,
    length: fetch.length,
    wordWidth: fetch.width,
    instructions,
    registerNames: names,
    fieldFiles,
  };
  return { set, transitions };
}

function given(field: Field, term: Term, use: FieldUse | undefined): Given {
  return {
    name: field.name,
    type: field.type,
    terms: [term],
    what: "an operand",
    ...(use === undefined ? {} : { use }),
  };
}

function filesOf(uses: ReadonlyMap<string, FieldUse>): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [field, use] of uses) {
    const [file, ...more] = use.files;
    if (file !== undefined && more.length === 0 && !use.otherwise) files.set(field, file);
  }
  return files;
}

// ---- fetching

/** The one expression of an entry. */
function soleExpression(entry: BlockEntry): Expression | undefined {
  const [statement, ...more] = entry.block.statements;
  return statement?.kind === "expression" && more.length === 0 ? statement.expression : undefined;
}

function fetchOf(entry: FetchEntry, { world, diagnostics, budget }: Elaboration): Fetch | undefined {
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

function nextOf(definition: Definition, { world, diagnostics }: Elaboration, fetch: FetchEntry): Next | undefined {
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
function illegalEffect(elaboration: Elaboration, entry: BlockEntry, fetch: Fetch): Transition["effect"] {
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

// ---- encodings

type Rows = ReadonlyMap<InstructionEntry, readonly RowPart[]>;

function readRows(definition: Definition, { diagnostics }: Elaboration): Rows {
  const rows = new Map<InstructionEntry, readonly RowPart[]>();
  for (const entry of definition.instructions) {
    const parts = entry.encoding === undefined ? undefined : readRow(entry.encoding, diagnostics);
    if (parts !== undefined) rows.set(entry, parts);
  }
  return rows;
}

/** The body of an instruction whose encoding is in error is looked at all the same, its operands being what they may. */
function checkBody(entry: InstructionEntry, parts: readonly RowPart[] | undefined, elaboration: Elaboration): void {
  const names =
    parts === undefined
      ? (entry.encoding?.text.match(/[A-Za-z_]\w*/g) ?? [])
      : parts.flatMap((p) => (p.kind === "field" ? [p.name] : []));
  const fields = [...new Set(names)].map(
    (name): Given => ({ name, type: { kind: "bool" }, terms: undefined, what: "an operand" }),
  );
  effectOf(elaboration, entry.execute, entry.name, fields);
}

function layoutAll(rows: Rows, elaboration: Elaboration, width: number): ReadonlyMap<InstructionEntry, Layout> {
  const { world, diagnostics, budget } = elaboration;
  const elsewhere = new Map<string, number>();
  const own = new Map<InstructionEntry, Map<string, number>>();
  for (const [entry, parts] of rows) {
    const widths = new Map<string, number>();
    own.set(entry, widths);
    for (const part of parts) {
      if (part.kind !== "field" || part.pieces !== undefined || entry.execute === undefined) continue;
      const cx = newContext(world, diagnostics, entry.execute.unit, PURE, { budget });
      cx.withoutState = true;
      const used = usedWidth(cx, world, entry.execute.block, part.name);
      if (used === undefined) continue;
      widths.set(part.name, used);
      if (!elsewhere.has(part.name)) elsewhere.set(part.name, used);
    }
  }
  const layouts = new Map<InstructionEntry, Layout>();
  for (const [entry, parts] of rows) {
    if (entry.encoding === undefined) continue;
    const row = { instruction: entry.name, source: entry.encoding, parts };
    const layout = layOut(row, width, (field) => own.get(entry)?.get(field) ?? elsewhere.get(field), diagnostics);
    if (layout !== undefined) layouts.set(entry, layout);
  }
  return layouts;
}

function constraintOf(elaboration: Elaboration, entry: InstructionEntry, fields: readonly Given[]): Term | undefined {
  if (entry.except === undefined && entry.where === undefined) return undefined;
  const except = entry.except === undefined ? build.FALSE : conditionOf(elaboration, entry.except, fields, "`except`");
  return build.and(build.not(except), conditionOf(elaboration, entry.where, fields, "`where`"));
}

function reportOverlaps(
  list: readonly { readonly entry: InstructionEntry; readonly encoding: Encoded }[],
  diagnostics: Diagnostics,
): void {
  list.forEach((a, i) => {
    for (const b of list.slice(i + 1)) {
      const common = overlap(a.encoding, b.encoding);
      if (common === undefined || b.entry.encoding === undefined) continue;
      const place = b.entry.encoding.place(0);
      const first = `\`${a.entry.name}\` (line ${a.entry.place.line})`;
      if (common === "undecided") {
        diagnostics.report(
          "E_OVERLAP",
          place,
          `\`${b.entry.name}\` may overlap ${first}: their constraints look at too many bits to tell; make the constant bits differ`,
        );
      } else {
        const digits = Math.ceil(b.encoding.width / 4);
        const word = `0x${common.word.toString(16).padStart(digits, "0")}`;
        diagnostics.report(
          "E_OVERLAP",
          place,
          `\`${b.entry.name}\` overlaps ${first}: the word ${word} is both; make their constant bits differ, or exclude it with \`except\``,
        );
      }
    }
  });
}

/** Every operand in the syntax must be a field of the row. */
function checkAssembly(entry: InstructionEntry, layout: Layout, diagnostics: Diagnostics): void {
  const { assembly } = entry;
  if (assembly === undefined) return;
  const { source } = assembly;
  const mnemonic = /^\s*\S+/.exec(source.text)?.[0].length ?? 0;
  const known = layout.fields.map((f) => f.name);
  for (const match of source.text.slice(mnemonic).matchAll(/\[[^\]]*\]|[A-Za-z_]\w*/g)) {
    const [name] = match;
    if (name.startsWith("[") || name === "pc" || known.includes(name)) continue;
    diagnostics.report(
      "E_ASSEMBLY",
      source.place(mnemonic + match.index),
      `no bit of the encoding defines \`${name}\`${didYouMean(name, known)}`,
    );
  }
}

/** How the elements of files are written in assembly. */
export type RegisterNames = ReadonlyMap<string, readonly string[]>;

export function registerNames(definition: Definition, { world, diagnostics }: Elaboration): RegisterNames {
  const names = new Map<string, readonly string[]>();
  for (const entry of definition.registers) {
    const type = world.state.get(entry.file)?.type;
    if (type?.kind !== "array") {
      const files = [...world.state].filter(([, d]) => d.type.kind === "array").map(([n]) => n);
      diagnostics.report(
        "E_REGISTERS",
        entry.place,
        `\`${entry.file}\` is no file of registers${didYouMean(entry.file, files)}`,
      );
    } else if (entry.names.length !== type.count) {
      diagnostics.report(
        "E_REGISTERS",
        entry.place,
        `\`${entry.file}\` has ${type.count} elements and ${entry.names.length} names`,
      );
    } else if (new Set(entry.names).size < entry.names.length) {
      diagnostics.report("E_REGISTERS", entry.place, `a name stands twice in the names of \`${entry.file}\``);
    } else {
      names.set(entry.file, entry.names);
    }
  }
  return names;
}
