/** Instructions: encodings, fetching, and a transition for each. */
import type {
  Effect,
  Encoding,
  Field,
  FieldFile,
  Instruction,
  InstructionSet,
  Transition,
} from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import { Substitution } from "../../../refinement/terms/substitute.js";
import type { Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import { FieldUse } from "../elaborate/scope.js";
import type { Definition, InstructionEntry } from "../read/definition.js";
import type { RowPart } from "../syntax/ast.js";
import { type Layout, fieldOfWord, matches, wordOfFields } from "./encoding.js";
import { expansionOf, targetOf } from "./expansion.js";
import { fetchOf, illegalEffect, nextOf } from "./fetching.js";
import { handled } from "./handler.js";
import { checkAssembly, layoutAll, spellingOf, readRows, reportMisfits, reportOverlaps } from "./layouts.js";
import type { Encoded } from "./overlap.js";
import {
  type Body,
  type Elaboration,
  type Given,
  type Instructing,
  NOTHING,
  conditionOf,
  effectOf,
  untrapped,
} from "./transitions.js";

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
  const operands = definition.instructions.find((i) => i.operands !== undefined);
  if (operands !== undefined) {
    diagnostics.report(
      "E_STRUCTURE",
      operands.place,
      `\`${operands.name}\` names operands, and the machine names no \`decoder\` that finds them; give it an encoding`,
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
  const next = fetchEntry === undefined ? undefined : nextOf(definition, elaboration, fetchEntry);
  const fetch = fetchEntry === undefined ? undefined : fetchOf(fetchEntry, elaboration, next?.programCounter);
  const layouts =
    fetch === undefined
      ? new Map<InstructionEntry, Layout>()
      : layoutAll(rows, elaboration, { lengths: fetch.parcels.lengths, unit: fetch.unit });
  for (const entry of definition.instructions) if (!layouts.has(entry)) checkBody(entry, rows.get(entry), elaboration);
  if (fetchEntry === undefined || fetch === undefined || next === undefined) return undefined;
  const instructions: Instruction[] = [];
  const transitions: Transition[] = [];
  const encoded: { entry: InstructionEntry; encoding: Encoded }[] = [];
  const fieldFiles = new Map<string, ReadonlyMap<string, FieldFile>>();
  const spelling = spellingOf(definition, layouts, diagnostics);
  const noWord: Term[] = [];
  const ready = conditionOf(elaboration, fetchEntry.when, [], "`when`");
  const running = build.and(untrapped(elaboration.world), ready);
  const targets = new Map(
    definition.instructions.flatMap((entry) => {
      const target =
        entry.expands === undefined ? undefined : targetOf(entry.expands, definition.instructions, elaboration);
      return target === undefined ? [] : [[entry, target] as const];
    }),
  );
  const bodyOf = (
    entry: InstructionEntry,
    operands: readonly Given[],
    instructing: Instructing,
  ): Body & Partial<Pick<Instruction, "expands">> => {
    if (entry.expands === undefined) return effectOf(elaboration, entry.execute, entry.name, operands, instructing);
    const target = targets.get(entry);
    const layout = target === undefined ? undefined : layouts.get(target);
    if (target === undefined || layout === undefined) return NOTHING;
    const expansion = expansionOf(entry.expands, target, layout, operands, elaboration);
    // The word is the short instruction's own.
    const word = operands.filter((o) => o.name === "word" && !layout.fields.some((f) => f.name === "word"));
    const given = [...expansion.operands, ...word];
    const body = effectOf(elaboration, expansion.execute, entry.name, given, instructing);
    expansion.settle();
    const values = expansion.operands.flatMap(({ name, terms: [term] = [] }) =>
      term === undefined ? [] : [[name, term] as const],
    );
    return { ...body, expands: { instruction: target.name, operands: new Map(values) } };
  };
  for (const entry of definition.instructions) {
    const layout = layouts.get(entry);
    if (layout === undefined) continue;
    checkAssembly(entry, layout, { spelling, registerNames: names }, diagnostics);
    const uses = new Map(layout.fields.map((f) => [f.name, new FieldUse()] as const));
    const word = fetch.wordOf(layout.length);
    const anyWord = build.variable(`${entry.name}(word)`, word.sort);
    const body = bodyOf(
      entry,
      [...layout.fields.map((f): Given => given(f, f.term, uses.get(f.name))), ...givenWord(layout, anyWord)],
      { length: layout.length, next },
    );
    // What it does is worked out once: over its operands, then over the word that is fetched.
    const overFields = new Substitution(new Map([[anyWord, wordOfFields(layout)]]));
    const overWord = new Substitution(
      new Map([[anyWord, word], ...layout.fields.map((f) => [f.term, fieldOfWord(f, word)] as const)]),
    );
    const asBits = [
      ...layout.fields.map((f): Given => given(f, fieldOfWord(f, word), undefined)),
      ...givenWord(layout, word),
    ];
    // What a word is depends on its fields in other ways than what it does.
    const constraint = constraintOf(
      elaboration,
      entry,
      layout.fields.map((f) => given(f, f.term, undefined)),
    );
    const encoding: Encoding = { ...layout, ...(constraint === undefined ? {} : { constraint }) };
    const instruction: Instruction = {
      name: entry.name,
      encoding,
      assembly: entry.assembly?.text.trim(),
      choices: body.choices,
      effect: over(overFields, body.effect),
      expands: body.expands,
      line: entry.place.line,
    };
    instructions.push(instruction);
    encoded.push({ entry, encoding: { ...layout, constraint } });
    const is = build.and(matches(layout, word), constraintOf(elaboration, entry, asBits) ?? build.TRUE);
    noWord.push(build.not(is));
    transitions.push({
      name: entry.name,
      parameters: [],
      choices: body.choices,
      guard: build.and(running, fetch.fetchableOf(layout.length), is),
      effect: over(overWord, body.effect),
      instruction,
    });
    fieldFiles.set(entry.name, filesOf(uses));
  }
  reportOverlaps(encoded, diagnostics);
  reportMisfits(encoded, fetch.parcels, diagnostics);
  if (fetch.raises.length > 0) {
    // One of them holds: where it is none of the others, it is the last.
    const raises = fetch.raises.map((r, i) => (i === fetch.raises.length - 1 ? { ...r, condition: build.TRUE } : r));
    const effect = handled(elaboration, { raises, assigns: new Map<string, Term>() });
    const guard = build.and(running, build.not(fetch.fetchable));
    transitions.push({ name: "fetch_fault", parameters: [], choices: [], guard, effect, instruction: undefined });
  }
  if (fetchEntry.illegal !== undefined) {
    const effect = illegalEffect(elaboration, fetchEntry.illegal, fetch);
    transitions.push({
      name: "illegal",
      parameters: [],
      choices: [],
      guard: build.and(running, fetch.fetchable, ...noWord),
      effect,
      instruction: undefined,
    });
  }
  const set: InstructionSet = {
    programCounter: next.programCounter,
    word: fetch.word,
    fetchable: fetch.fetchable,
    ready,
    wordWidth: fetch.width,
    parcels: fetch.parcels,
    instructions,
    registerNames: names,
    spelling,
    fieldFiles,
  };
  return { set, transitions };
}

/** The effect with other terms in the place of what it reads. */
function over(substitution: Substitution, { raises, assigns, cases }: Effect): Effect {
  const mapped = (values: ReadonlyMap<string, Term>): ReadonlyMap<string, Term> =>
    new Map([...values].map(([name, term]) => [name, substitution.apply(term)]));
  return {
    raises: raises.map((r) => ({
      ...r,
      condition: substitution.apply(r.condition),
      arguments: r.arguments.map((a) => substitution.apply(a)),
    })),
    assigns: mapped(assigns),
    ...(cases === undefined
      ? {}
      : {
          cases: {
            condition: substitution.apply(cases.condition),
            taken: mapped(cases.taken),
            otherwise: mapped(cases.otherwise),
          },
        }),
  };
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

/** `word` is the instruction's own word, unless a field is called so. */
function givenWord({ width, fields }: Layout, word: Term): readonly Given[] {
  if (fields.some((f) => f.name === "word")) return [];
  return [{ name: "word", type: { kind: "bits", width }, terms: [word], what: "the instruction's word" }];
}

function filesOf(uses: ReadonlyMap<string, FieldUse>): ReadonlyMap<string, FieldFile> {
  const files = new Map<string, FieldFile>();
  for (const [field, use] of uses) {
    const [file, ...more] = use.files;
    if (file !== undefined && more.length === 0 && !use.otherwise) files.set(field, { file, first: use.first });
  }
  return files;
}

/** The body of an instruction whose encoding is in error is looked at all the same, its operands being what they may. */
function checkBody(entry: InstructionEntry, parts: readonly RowPart[] | undefined, elaboration: Elaboration): void {
  const names =
    parts === undefined
      ? (entry.encoding?.text.match(/[A-Za-z_]\w*/g) ?? [])
      : parts.flatMap((p) => (p.kind === "field" ? [p.name] : []));
  const fields = [...new Set([...names, "word"])].map(
    (name): Given => ({ name, type: { kind: "bool" }, terms: undefined, what: "an operand" }),
  );
  effectOf(elaboration, entry.execute, entry.name, fields, { length: 1, next: undefined });
}

function constraintOf(elaboration: Elaboration, entry: InstructionEntry, fields: readonly Given[]): Term | undefined {
  if (entry.except === undefined && entry.where === undefined) return undefined;
  const except = entry.except === undefined ? build.FALSE : conditionOf(elaboration, entry.except, fields, "`except`");
  return build.and(build.not(except), conditionOf(elaboration, entry.where, fields, "`where`"));
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
