/** Instructions: encodings, fetching, and a transition for each. */
import type { Encoding, Field, Instruction, InstructionSet, Transition } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import { FieldUse } from "../elaborate/scope.js";
import type { Definition, InstructionEntry } from "../read/definition.js";
import type { RowPart } from "../syntax/ast.js";
import { type Layout, fieldOfWord, matches } from "./encoding.js";
import { fetchOf, illegalEffect, nextOf } from "./fetching.js";
import { checkAssembly, layoutAll, readRows, reportOverlaps } from "./layouts.js";
import type { Encoded } from "./overlap.js";
import { type Body, type Elaboration, type Given, conditionOf, effectOf, untrapped } from "./transitions.js";

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
