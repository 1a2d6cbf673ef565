/** Loading a refinement: its file, its machines, a seeded fault put into one of them. */
import type { Refinement } from "../../../refinement/refinement.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { newContext } from "../elaborate/elaborator.js";
import { type Val, integer } from "../elaborate/value.js";
import { PURE, emptyWorld } from "../elaborate/world.js";
import type { Files } from "../files.js";
import type { ElaboratedMachine } from "../machine/machine.js";
import { elaborateMachine } from "../machine/machine.js";
import { type EditOutcome, outcomeOf } from "../read/edits.js";
import { type Given, type GivenParameter, readMachineFile } from "../read/machine-file.js";
import { directoryOf, findMachine, isPath, pathOf } from "../read/paths.js";
import { validate } from "../schema/validate.js";
import { type Yaml, type YamlMapping, get, readYaml } from "../yaml/tree.js";
import { emulatorRefinement } from "./emulator.js";
import { type FaultEntry, REFINEMENT_KEYS, RefinementReader } from "./file.js";
import type { Common } from "./builder.js";
import { machineRefinement } from "./refinement.js";
import { type KnownGuest, translatorRefinement } from "./translator.js";

export async function machineFrom(
  files: Files,
  file: string,
  parameters: Given,
  outcomes: readonly EditOutcome[],
  diagnostics: Diagnostics,
): Promise<ElaboratedMachine | undefined> {
  const definition = await readMachineFile(files, file, parameters, outcomes, diagnostics);
  if (definition === undefined) return undefined;
  if (definition.partial) {
    diagnostics.report(
      "E_EXTENDS",
      definition.place,
      `\`${definition.name}\` is partial: it makes sense only in a machine that extends it`,
    );
    return undefined;
  }
  return elaborateMachine(definition, diagnostics);
}

export async function refinementFrom(
  files: Files,
  file: string,
  faultName: string | undefined,
  diagnostics: Diagnostics,
): Promise<Refinement | undefined> {
  const nowhere = { file, line: 1, column: 1 };
  const read = await files.read(file);
  if ("problem" in read) {
    diagnostics.report("E_FILE", nowhere, `cannot read ${file}: ${read.problem}`);
    return undefined;
  }
  const yaml = readYaml(file, read.text, diagnostics);
  if (yaml !== undefined) validate("refinement", yaml, diagnostics);
  const reader = new RefinementReader(diagnostics);
  const root = reader.reader.mapping(yaml, "a refinement file", REFINEMENT_KEYS);
  if (root === undefined) return undefined;
  const own = parameters(root, reader);
  reader.parameters = own;
  const name = reader.required(root, "refinement", "a refinement file")?.text ?? "";
  const faults = reader.faults(root);
  const entry = faultName === undefined ? undefined : faults.find((f) => f.fault.name === faultName);
  if (faultName !== undefined && entry === undefined)
    diagnostics.report(
      "E_FAULT",
      get(root, "faults")?.place ?? root.place,
      `there is no fault \`${faultName}\`${didYouMean(
        faultName,
        faults.map((f) => f.fault.name),
      )}`,
    );
  const outcomes = entry?.edit === undefined ? [] : [outcomeOf(entry.edit)];
  const emulator = get(root, "emulator");
  const isEmulator = emulator !== undefined;
  const guest = await machine(files, file, root, "guest", isEmulator ? outcomes : [], reader);
  const host = isEmulator ? undefined : await machine(files, file, root, "host", outcomes, reader);
  if (entry !== undefined && (isEmulator ? guest : host) !== undefined) reportFault(entry, outcomes, diagnostics);
  if (guest === undefined) return undefined;
  const common: Common = {
    name,
    title: reader.reader.text(get(root, "title"), "`title`") ?? name,
    kind: reader.reader.text(get(root, "kind"), "`kind`") ?? "",
    file,
    guest: guest.machine,
    faults: faults.map((f) => f.fault),
    fault: faultName,
    mapping: reader.mapping(root),
  };
  if (emulator !== undefined) return emulatorRefinement(root, emulator, common, reader, files);
  if (host === undefined) return undefined;
  const isTranslator = get(root, "translator") !== undefined;
  for (const key of isTranslator ? [] : (["regions", "views", "helpers", "preserve", "request", "known"] as const)) {
    const node = get(root, key);
    if (node !== undefined)
      diagnostics.report(
        "E_TRANSLATOR",
        node.place,
        `\`${key}\` is for a \`translator\`, and there is none; remove it`,
      );
  }
  // The refinement's strings see the parameters of both machines; its own come first, then the host's.
  reader.parameters = new Map([...guest.definition.parameters, ...host.definition.parameters, ...own]);
  const known = isTranslator ? await knownGuest(files, file, root, reader) : undefined;
  return isTranslator
    ? translatorRefinement(root, common, { guest, host, known }, reader, files)
    : machineRefinement(root, common, guest, host, reader);
}

function parameters(root: YamlMapping, reader: RefinementReader): ReadonlyMap<string, Val> {
  const own = new Map<string, Val>();
  for (const { key, value } of reader.reader.entries(get(root, "parameters"), "`parameters`"))
    own.set(key.text, parameter(value, reader, own));
  return own;
}

function parameter(node: Yaml, reader: RefinementReader, seen: ReadonlyMap<string, Val>): Val {
  if (node.kind === "scalar" && typeof node.value === "boolean") return { kind: "truth", value: node.value };
  if (node.kind === "scalar" && typeof node.value === "bigint") return integer(node.value);
  const entry = reader.block(node, "a parameter");
  if (entry === undefined) return { kind: "wrong" };
  const cx = newContext(emptyWorld(), reader.diagnostics, { source: entry.unit.source, parameters: seen }, PURE);
  const value = cx.evaluateBlock(entry.block, undefined);
  if (value.kind === "int" || value.kind === "truth" || value.kind === "wrong") return value;
  return cx.wrong("E_PARAMETER", entry.block.span, "a parameter is a whole number or a bool");
}

/** `guest:` and `host:` are a machine's name or path, or `{ base: …, with: { parameters } }`. */
async function machine(
  files: Files,
  file: string,
  root: YamlMapping,
  key: "guest" | "host",
  outcomes: readonly EditOutcome[],
  reader: RefinementReader,
  given: ReadonlyMap<string, GivenParameter> = new Map(),
): Promise<ElaboratedMachine | undefined> {
  const node = get(root, key);
  if (node === undefined) {
    // The schema asks for a guest; an emulator needs no host.
    if (key === "host") {
      reader.diagnostics.report(
        "E_STRUCTURE",
        root.place,
        `a refinement needs a \`${key}\`: a machine's name, or the path of its file`,
      );
    }
    return undefined;
  }
  const mapping = node.kind === "mapping" ? reader.reader.mapping(node, `\`${key}\``, ["base", "with"]) : undefined;
  const reference =
    mapping === undefined ? reader.reader.scalar(node, `\`${key}\``) : reader.required(mapping, "base", `\`${key}\``);
  if (reference === undefined) return undefined;
  const all = new Map(given);
  for (const { key: name, value } of mapping === undefined
    ? []
    : reader.reader.entries(get(mapping, "with"), "`with`")) {
    const found = parameter(value, reader, reader.parameters);
    all.set(name.text, { value: found, place: name.place });
  }
  const folder = directoryOf(file);
  const path = isPath(reference.text)
    ? pathOf(folder, reference.text)
    : await findMachine(files, folder, reference.text);
  if (path === undefined) {
    reader.diagnostics.report(
      "E_FILE",
      reference.place,
      `no machine \`${reference.text}\`: there is no ${reference.text}.yaml beside this file or below spec/`,
    );
    return undefined;
  }
  if (!(await files.exists(path))) {
    reader.diagnostics.report("E_FILE", reference.place, `no machine \`${reference.text}\`: there is no file ${path}`);
    return undefined;
  }
  return machineFrom(files, path, all, outcomes, reader.diagnostics);
}

/** The guest of `known`, with all the findings. */
async function knownGuest(
  files: Files,
  file: string,
  root: YamlMapping,
  reader: RefinementReader,
): Promise<KnownGuest | undefined> {
  const mapping = reader.reader.mapping(get(root, "known"), "`known`", ["guest", "abstraction", "findings", "see"]);
  if (mapping === undefined) return undefined;
  const findings = new Map<string, string>();
  const given = new Map<string, GivenParameter>();
  for (const { key, value } of reader.reader.entries(get(mapping, "findings"), "`findings`")) {
    const parameter = reader.reader.scalar(value, "a parameter");
    if (parameter === undefined) continue;
    findings.set(key.text, parameter.text);
    given.set(parameter.text, { value: { kind: "truth", value: true }, place: parameter.place });
  }
  const guest = await machine(files, file, mapping, "guest", [], reader, given);
  const see = reader.required(mapping, "see", "`known`")?.text ?? "";
  return guest === undefined ? undefined : { guest, findings, see, abstraction: get(mapping, "abstraction") };
}

function reportFault(entry: FaultEntry, outcomes: readonly EditOutcome[], diagnostics: Diagnostics): void {
  const [outcome] = outcomes;
  if (outcome === undefined || outcome.applied) return;
  const { edit, found } = outcome;
  if (edit.kind === "function") {
    diagnostics.report(
      "E_FAULT",
      entry.place,
      `\`${edit.name}\` is no function of the machine; name one, or say with \`in\` where the text to replace stands`,
    );
  } else if (found === undefined) {
    diagnostics.report("E_FAULT", entry.place, `the machine's file has no string at \`${edit.path.join(".")}\``);
  } else {
    diagnostics.report(
      "E_FAULT",
      entry.place,
      `the text to replace occurs ${found} times at \`${edit.path.join(".")}\`; it must occur exactly once`,
    );
  }
}
