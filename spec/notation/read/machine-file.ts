/** Machine files → one definition: a file, what it extends, its parameters. */
import type { Place } from "../../../refinement/errors.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { newContext } from "../elaborate/elaborator.js";
import { type Val, WRONG, integer } from "../elaborate/value.js";
import { PURE, type Unit, emptyWorld } from "../elaborate/world.js";
import type { Files } from "../files.js";
import { textAt } from "../yaml/source-text.js";
import { validate } from "../schema/validate.js";
import { type Yaml, type YamlMapping, type YamlScalar, get, readYaml } from "../yaml/tree.js";
import type {
  BlockEntry,
  ConstantEntry,
  Definition,
  FetchEntry,
  FunctionEntry,
  InstructionEntry,
  RegistersEntry,
  StateEntry,
  TransitionEntry,
  TrapEntry,
  TypeEntry,
  UninterpretedEntry,
} from "./definition.js";
import { type EditOutcome, applyEdits } from "./edits.js";
import { directoryOf, findMachine, isPath, pathOf } from "./paths.js";
import { Reader } from "./reader.js";

export type ParameterValue = bigint | number | boolean;

export const MACHINE_KEYS = [
  "machine",
  "title",
  "source",
  "partial",
  "parameters",
  "extends",
  "types",
  "constants",
  "state",
  "fetch",
  "next",
  "functions",
  "uninterpreted",
  "traps",
  "init",
  "registers",
  "instructions",
  "transitions",
  "decoder",
] as const;

const INSTRUCTION_KEYS = ["encoding", "assembly", "execute", "except", "where", "operands"] as const;
const MAX_EXTENDS = 32;

type Parameters = ReadonlyMap<string, Val>;

/** A parameter's value from outside, and where it is given. */
export interface GivenParameter {
  readonly value: Val;
  readonly place: Place;
}
export type Given = ReadonlyMap<string, GivenParameter>;

/** Values for parameters that stand in no machine's file. */
export function parametersFrom(given: Readonly<Record<string, ParameterValue>>, place: Place): Given {
  return new Map(
    Object.entries(given).map(([name, value]): [string, GivenParameter] => {
      const constant: Val = typeof value === "boolean" ? { kind: "truth", value } : integer(BigInt(value));
      return [name, { value: constant, place }];
    }),
  );
}

/** Collects a machine's text; `outcomes` tell how the edits fared. Undefined where the file itself cannot be read. */
export async function readMachineFile(
  files: Files,
  path: string,
  given: Given,
  outcomes: readonly EditOutcome[],
  diagnostics: Diagnostics,
): Promise<Definition | undefined> {
  const collector = new Collector(files, outcomes, diagnostics);
  const root = await collector.file(path, { file: path, line: 1, column: 1 }, given, new Map(), []);
  if (root === undefined) return undefined;
  collector.digested.push(`parameters ${signatureOf(given)}`);
  for (const { edit } of outcomes) {
    const where = edit.kind === "function" ? edit.name : `${edit.path.join(".")} ${edit.replace}`;
    collector.digested.push(`edit ${where} ${edit.text.text}`);
  }
  return collector.definition(root, path);
}

class Collector {
  private readonly files: Files;
  private readonly outcomes: readonly EditOutcome[];
  private readonly diagnostics: Diagnostics;
  private readonly reader: Reader;
  private readonly loaded = new Map<string, { readonly given: string; readonly exported: Parameters }>();
  readonly digested: string[] = [];
  private readonly types: TypeEntry[] = [];
  private readonly constants: ConstantEntry[] = [];
  private readonly state: StateEntry[] = [];
  private readonly functions: FunctionEntry[] = [];
  private readonly uninterpreted: UninterpretedEntry[] = [];
  private readonly traps: TrapEntry[] = [];
  private readonly init: BlockEntry[] = [];
  private readonly instructions: InstructionEntry[] = [];
  private readonly transitions: TransitionEntry[] = [];
  private fetch: FetchEntry | undefined;
  private next: BlockEntry | undefined;
  private readonly registers: RegistersEntry[] = [];
  private readonly declared = new Map<string, Map<string, Place>>();
  private readonly broken = new Set<string>();
  private incomplete = false;

  constructor(files: Files, outcomes: readonly EditOutcome[], diagnostics: Diagnostics) {
    this.files = files;
    this.outcomes = outcomes;
    this.diagnostics = diagnostics;
    this.reader = new Reader(diagnostics);
  }

  definition(root: YamlMapping, file: string): Definition {
    const { reader } = this;
    const title = get(root, "title");
    const decoder = get(root, "decoder");
    const name = reader.text(get(root, "machine"), "`machine`") ?? "";
    return {
      name,
      title: title === undefined ? name : (reader.text(title, "`title`") ?? ""),
      source: reader.text(get(root, "source"), "`source`"),
      file,
      place: root.place,
      partial: reader.boolean(get(root, "partial"), "`partial`") ?? false,
      decoder:
        decoder === undefined ? undefined : { name: reader.text(decoder, "`decoder`") ?? "", place: decoder.place },
      types: this.types,
      constants: this.constants,
      state: this.state,
      functions: this.functions,
      uninterpreted: this.uninterpreted,
      traps: this.traps,
      init: this.init,
      instructions: this.instructions,
      transitions: this.transitions,
      fetch: this.fetch,
      next: this.next,
      registers: this.registers,
      broken: this.broken,
      incomplete: this.incomplete,
      parameters: this.loaded.get(this.files.absolute(file))?.exported ?? new Map(),
      digested: this.digested,
    };
  }

  /** Reads a file and its bases. `from` is where it is named, `path` how; `inherited` are parameters it sees besides its own. */
  async file(
    path: string,
    from: Place,
    given: Given,
    inherited: Parameters,
    stack: readonly string[],
  ): Promise<YamlMapping | undefined> {
    const key = this.files.absolute(path);
    const read = await this.files.read(path);
    if ("problem" in read) {
      this.diagnostics.report("E_FILE", from, `cannot read ${path}: ${read.problem}`);
      return undefined;
    }
    this.digested.push(read.text);
    const yaml = readYaml(path, read.text, this.diagnostics);
    if (yaml === undefined) return undefined;
    validate("machine", yaml, this.diagnostics);
    const edited = applyEdits(yaml, this.outcomes);
    const root = this.reader.mapping(edited, "a machine file", MACHINE_KEYS);
    if (root === undefined) return undefined;
    if (get(root, "machine") === undefined) return undefined;
    const environment = new Map(inherited);
    const own = this.parameters(root, given, inherited);
    for (const [name, value] of own) environment.set(name, value);
    await this.bases(root, path, environment, [...stack, key]);
    for (const [name, value] of own) environment.set(name, value);
    this.sections(root, environment);
    this.loaded.set(key, { given: signatureOf(given), exported: environment });
    return root;
  }

  private parameters(root: YamlMapping, given: Given, inherited: Parameters): Parameters {
    const own = new Map<string, Val>();
    for (const { key, value } of this.reader.entries(get(root, "parameters"), "`parameters`")) {
      own.set(key.text, given.get(key.text)?.value ?? this.parameter(value, key, new Map([...inherited, ...own])));
    }
    for (const [name, { place }] of given) {
      if (own.has(name)) continue;
      this.diagnostics.report(
        "E_PARAMETER",
        place,
        `this machine has no parameter \`${name}\`${didYouMean(name, own.keys())}`,
      );
    }
    return own;
  }

  private parameter(node: Yaml, key: YamlScalar, seen: Parameters): Val {
    if (node.kind === "scalar" && typeof node.value === "boolean") return { kind: "truth", value: node.value };
    if (node.kind === "scalar" && typeof node.value === "bigint") return integer(node.value);
    const scalar = this.reader.scalar(node, `the parameter \`${key.text}\``);
    const block = this.reader.block(scalar);
    if (scalar === undefined || block === undefined) return WRONG;
    const cx = newContext(emptyWorld(), this.diagnostics, { source: scalar.source, parameters: seen }, PURE);
    const value = cx.evaluateBlock(block, undefined);
    if (value.kind === "int" || value.kind === "truth" || value.kind === "wrong") return value;
    if (value.kind === "typed" && value.type.kind === "bool" && value.terms[0]?.op === "const")
      return { kind: "truth", value: value.terms[0].value === 1n };
    return cx.wrong(
      "E_PARAMETER",
      block.span,
      `a parameter is a whole number or a bool, not \`${cx.text(block.span)}\``,
    );
  }

  // ---- extends

  private async bases(
    root: YamlMapping,
    path: string,
    environment: Map<string, Val>,
    stack: readonly string[],
  ): Promise<void> {
    const node = get(root, "extends");
    if (node === undefined) return;
    const list = node.kind === "sequence" ? node.items : [node];
    for (const item of list) {
      const base = this.base(item);
      if (base === undefined) continue;
      await this.extend(base.reference, base.given(environment), path, environment, stack);
    }
  }

  private base(node: Yaml): { reference: YamlScalar; given: (seen: Parameters) => Given } | undefined {
    if (node.kind === "scalar") {
      const reference = this.reader.scalar(node, "`extends`");
      return reference === undefined ? undefined : { reference, given: () => new Map() };
    }
    const mapping = this.reader.mapping(node, "`extends`", ["base", "with"]);
    if (mapping === undefined) return undefined;
    const reference = this.reader.scalar(get(mapping, "base"), "`base`");
    if (reference === undefined) return undefined;
    const entries = this.reader.entries(get(mapping, "with"), "`with`");
    return {
      reference,
      given: (seen) =>
        new Map(
          entries.map(
            (e) => [e.key.text, { value: this.parameter(e.value, e.key, seen), place: e.key.place }] as const,
          ),
        ),
    };
  }

  private async extend(
    reference: YamlScalar,
    given: Given,
    path: string,
    environment: Map<string, Val>,
    stack: readonly string[],
  ): Promise<void> {
    const folder = directoryOf(path);
    const target = isPath(reference.text)
      ? pathOf(folder, reference.text)
      : await findMachine(this.files, folder, reference.text);
    if (target === undefined) {
      this.diagnostics.report(
        "E_FILE",
        reference.place,
        `no machine \`${reference.text}\`: there is no ${reference.text}.yaml beside this file or below spec/`,
      );
      this.incomplete = true;
      return;
    }
    const key = this.files.absolute(target);
    if (stack.includes(key) || stack.length > MAX_EXTENDS) {
      this.diagnostics.report(
        "E_EXTENDS",
        reference.place,
        `\`${reference.text}\` extends itself, directly or through others; remove one \`extends\``,
      );
      this.incomplete = true;
      return;
    }
    const before = this.loaded.get(key);
    if (before !== undefined) {
      if (before.given !== signatureOf(given))
        this.diagnostics.report(
          "E_EXTENDS",
          reference.place,
          `\`${reference.text}\` is extended twice, with different parameters`,
        );
      for (const [name, value] of before.exported) environment.set(name, value);
      return;
    }
    if ((await this.file(target, reference.place, given, environment, stack)) === undefined) this.incomplete = true;
    for (const [name, value] of this.loaded.get(key)?.exported ?? []) environment.set(name, value);
  }

  // ---- sections

  /** False, and a report, if the section has the name already. */
  private declare(section: string, name: string, place: Place): boolean {
    let names = this.declared.get(section);
    if (names === undefined) {
      names = new Map();
      this.declared.set(section, names);
    }
    const first = names.get(name);
    if (first !== undefined) {
      this.diagnostics.reportOnce(
        "E_DUPLICATE",
        place,
        `\`${name}\` is declared already, at ${first.file}:${first.line}; rename or remove one`,
      );
      return false;
    }
    names.set(name, place);
    return true;
  }

  private sections(root: YamlMapping, parameters: Parameters): void {
    const { reader } = this;
    const unit = (scalar: YamlScalar): Unit => ({ source: scalar.source, parameters });
    for (const { key, value } of reader.entries(get(root, "types"), "`types`")) {
      const scalar = reader.scalar(value, `the type \`${key.text}\``);
      const node = reader.type(scalar);
      if (!this.name(key) || !this.declare("type", key.text, key.place)) continue;
      if (scalar !== undefined && node !== undefined) {
        this.types.push({ name: key.text, place: key.place, node, unit: unit(scalar) });
      } else {
        // It may have declared any of its words, as the members of an enum.
        for (const word of [key.text, ...words(scalar?.text ?? "")]) this.broken.add(word);
      }
    }
    for (const { key, value } of reader.entries(get(root, "constants"), "`constants`")) this.constant(key, value, unit);
    for (const { key, value } of reader.entries(get(root, "state"), "`state`")) this.stateVariable(key, value, unit);
    for (const { key, value } of reader.entries(get(root, "functions"), "`functions`"))
      this.functionEntry(key, value, unit);
    this.uninterpretedEntries(get(root, "uninterpreted"), unit);
    for (const { key, value } of reader.entries(get(root, "traps"), "`traps`")) this.trap(key, value, unit);
    this.initial(get(root, "init"), unit);
    for (const { key, value } of reader.entries(get(root, "registers"), "`registers`")) {
      const names = reader
        .list(value, `the names of \`${key.text}\``)
        .map((n) => reader.text(n, "a register's name") ?? "");
      this.registers.push({ file: key.text, place: key.place, names });
    }
    for (const { key, value } of reader.entries(get(root, "instructions"), "`instructions`"))
      this.instruction(key, value, unit);
    for (const { key, value } of reader.entries(get(root, "transitions"), "`transitions`"))
      this.transition(key, value, unit);
    this.fetchEntry(get(root, "fetch"), unit);
    const next = this.block(get(root, "next"), "`next`", unit);
    if (next !== undefined) this.next = next;
  }

  private name(key: YamlScalar): boolean {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key.text)) return true;
    this.diagnostics.report(
      "E_SYNTAX",
      key.place,
      `\`${key.text}\` is no name: letters, digits and _, not a digit first`,
    );
    return false;
  }

  private block(node: Yaml | undefined, what: string, unit: (scalar: YamlScalar) => Unit): BlockEntry | undefined {
    const scalar = this.reader.scalar(node, what);
    const block = this.reader.block(scalar);
    if (scalar === undefined || block === undefined) return undefined;
    return { block, unit: unit(scalar), place: scalar.place };
  }

  private constant(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit): void {
    const signature = this.reader.signature(key);
    const body = this.block(value, `the constant \`${key.text}\``, unit);
    if (signature === undefined || !this.declare("constant", signature.name.name, key.place)) return;
    const type = signature.result === undefined ? undefined : { node: signature.result, unit: unit(key) };
    const { name } = signature.name;
    if (body !== undefined) this.constants.push({ name, place: key.place, type, block: body.block, unit: body.unit });
    else this.broken.add(name);
  }

  private stateVariable(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit): void {
    const { reader } = this;
    const mapping =
      value.kind === "mapping"
        ? reader.mapping(value, `the state variable \`${key.text}\``, ["type", "fixed", "faults", "doc"])
        : undefined;
    const written = mapping === undefined ? value : get(mapping, "type");
    const scalar = reader.scalar(written, `the type of \`${key.text}\``);
    const node = reader.type(scalar);
    if (key.text === "trap") {
      this.diagnostics.report(
        "E_DUPLICATE",
        key.place,
        "`trap` is what every machine with traps has without declaring it; choose another name",
      );
      return;
    }
    if (!this.name(key) || !this.declare("state", key.text, key.place)) return;
    const fixed = mapping === undefined ? [] : reader.entries(get(mapping, "fixed"), "`fixed`");
    const faults =
      mapping === undefined
        ? undefined
        : reader.mapping(get(mapping, "faults"), "`faults`", ["fetch", "load", "store"]);
    const fault = (access: "fetch" | "load" | "store"): Partial<Record<typeof access, YamlScalar>> => {
      const trap = faults === undefined ? undefined : reader.scalar(get(faults, access), `the trap of a ${access}`);
      return trap === undefined ? {} : { [access]: trap };
    };
    if (scalar === undefined || node === undefined) {
      this.broken.add(key.text);
      return;
    }
    this.state.push({
      name: key.text,
      place: key.place,
      node,
      unit: unit(scalar),
      fixed: fixed.flatMap(({ key: index, value: fixedValue }) => {
        const kept = reader.scalar(fixedValue, "the value of a fixed element");
        return kept === undefined ? [] : [{ index, value: kept }];
      }),
      faults: { ...fault("fetch"), ...fault("load"), ...fault("store") },
    });
  }

  private functionEntry(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit): void {
    const entry = readFunction(this.reader, key, value, unit);
    if (entry === undefined) {
      this.broken.add(headOf(key.text));
      return;
    }
    if (!this.declare("function", entry.name, key.place)) return;
    if (entry.body !== undefined) this.functions.push({ ...entry, body: entry.body });
    else this.broken.add(entry.name);
  }

  private uninterpretedEntries(node: Yaml | undefined, unit: (scalar: YamlScalar) => Unit): void {
    if (node === undefined) return;
    const items =
      node.kind === "sequence"
        ? node.items.map((item) => ({ key: this.reader.scalar(item, "an uninterpreted function"), value: undefined }))
        : this.reader.entries(node, "`uninterpreted`");
    for (const { key, value } of items) {
      const signature = this.reader.signature(key);
      if (key !== undefined && signature === undefined) this.broken.add(headOf(key.text));
      if (key === undefined || signature === undefined) continue;
      const scalar =
        value === undefined || (value.kind === "scalar" && value.value === null)
          ? undefined
          : this.reader.scalar(value, "the type of the result");
      const result = this.reader.type(scalar);
      if (signature.result === undefined && scalar === undefined) {
        this.diagnostics.report(
          "E_STRUCTURE",
          key.place,
          `\`${signature.name.name}\` needs the type of its result: \`${key.text}: bits(32)\``,
        );
        continue;
      }
      if (!this.declare("function", signature.name.name, key.place)) continue;
      this.uninterpreted.push({
        name: signature.name.name,
        place: key.place,
        signature,
        unit: unit(key),
        result: scalar !== undefined && result !== undefined ? { node: result, unit: unit(scalar) } : undefined,
      });
    }
  }

  private trap(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit): void {
    const signature = this.reader.signature(key);
    const empty = value.kind === "scalar" && value.value === null;
    const cause = empty ? undefined : this.reader.integer(value, `the cause of \`${key.text}\``);
    if (signature === undefined) {
      this.broken.add(headOf(key.text));
      return;
    }
    const { name } = signature.name;
    if (signature.result !== undefined)
      this.diagnostics.report(
        "E_STRUCTURE",
        key.place,
        `the trap \`${name}\` has no result type; its value is its cause number`,
      );
    if (name === "none") {
      this.diagnostics.report("E_DUPLICATE", key.place, "`none` means that there is no trap; choose another name");
      return;
    }
    if (!this.declare("trap", name, key.place)) return;
    this.traps.push({
      name,
      place: key.place,
      signature,
      unit: unit(key),
      cause: cause === undefined ? undefined : Number(cause),
    });
  }

  private initial(node: Yaml | undefined, unit: (scalar: YamlScalar) => Unit): void {
    if (node === undefined) return;
    const items =
      node.kind === "sequence" ? node.items : node.kind === "mapping" ? node.entries.map((e) => e.value) : [node];
    for (const item of items) {
      const entry = this.block(item, "`init`", unit);
      if (entry !== undefined) this.init.push(entry);
    }
  }

  private instruction(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit): void {
    const { reader } = this;
    const mapping = reader.mapping(value, `the instruction \`${key.text}\``, INSTRUCTION_KEYS);
    if (!this.declare("instruction", key.text, key.place) || mapping === undefined) return;
    const encoding = get(mapping, "encoding");
    const execute = get(mapping, "execute");
    const operands = get(mapping, "operands");
    if (encoding === undefined && operands === undefined)
      this.diagnostics.report(
        "E_STRUCTURE",
        key.place,
        `the instruction \`${key.text}\` needs an \`encoding\`, or \`operands\` where a library decodes`,
      );
    const row = reader.scalar(encoding, `the encoding of \`${key.text}\``);
    this.instructions.push({
      name: key.text,
      place: key.place,
      encoding: row?.source,
      assembly: reader.scalar(get(mapping, "assembly"), `the assembly of \`${key.text}\``),
      execute: this.block(execute, `what \`${key.text}\` executes`, unit),
      except: this.block(get(mapping, "except"), "`except`", unit),
      where: this.block(get(mapping, "where"), "`where`", unit),
      operands: reader.scalar(operands, "`operands`"),
    });
  }

  private transition(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit): void {
    const signature = this.reader.signature(key);
    const mapping = this.reader.mapping(value, `the transition \`${key.text}\``, ["guard", "effect", "doc"]);
    if (signature === undefined || mapping === undefined) return;
    const { name } = signature.name;
    if (!this.declare("transition", name, key.place)) return;
    const effect = get(mapping, "effect");
    this.transitions.push({
      name,
      place: key.place,
      signature,
      unit: unit(key),
      guard: this.block(get(mapping, "guard"), `the guard of \`${name}\``, unit),
      effect: this.block(effect, `the effect of \`${name}\``, unit),
    });
  }

  private fetchEntry(node: Yaml | undefined, unit: (scalar: YamlScalar) => Unit): void {
    const mapping = this.reader.mapping(node, "`fetch`", ["from", "length", "illegal"]);
    if (mapping === undefined) return;
    const length = get(mapping, "length");
    const from = get(mapping, "from");
    this.fetch = {
      place: mapping.place,
      from: this.block(from, "`from`", unit),
      length: this.reader.integer(length, "`length`"),
      lengthPlace: length?.place ?? mapping.place,
      illegal: this.block(get(mapping, "illegal"), "`illegal`", unit),
    };
  }
}

/** A function of `functions:`; `body` is undefined if it could not be parsed. */
export function readFunction(
  reader: Reader,
  key: YamlScalar,
  value: Yaml,
  unit: (scalar: YamlScalar) => Unit,
): (Omit<FunctionEntry, "body"> & { readonly body: FunctionEntry["body"] | undefined }) | undefined {
  const signature = reader.signature(key);
  // An empty body does nothing, as a seeded fault may want.
  const scalar =
    value.kind === "scalar" && value.value === null
      ? { ...value, source: textAt("", value.place) }
      : reader.scalar(value, `the body of \`${key.text}\``);
  const body = reader.block(scalar);
  if (signature === undefined) return undefined;
  return {
    name: signature.name.name,
    place: key.place,
    signature,
    unit: unit(key),
    body,
    bodyUnit: scalar === undefined ? unit(key) : unit(scalar),
  };
}

function words(text: string): readonly string[] {
  return text.match(/[A-Za-z_]\w*/g) ?? [];
}

/** The name that a signature in error declares, as far as one can tell. */
function headOf(signature: string): string {
  return /^\s*([A-Za-z_]\w*)/.exec(signature)?.[1] ?? signature;
}

function signatureOf(given: Given): string {
  return [...given]
    .map(([name, { value: v }]) => `${name}=${v.kind === "int" || v.kind === "truth" ? v.value : v.kind}`)
    .join(",");
}
