/** Machine files → one definition: a file, what it extends, its parameters. */
import type { Place } from "../../../refinement/errors.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { newContext } from "../elaborate/elaborator.js";
import { type Val, WRONG, integer } from "../elaborate/value.js";
import { PURE, emptyWorld } from "../elaborate/world.js";
import type { Files } from "../files.js";
import { validate } from "../schema/validate.js";
import { type Yaml, type YamlMapping, type YamlScalar, get, readYaml } from "../yaml/tree.js";
import type { Definition } from "./definition.js";
import { type EditOutcome, applyEdits } from "./edits.js";
import { directoryOf, findMachine, isPath, pathOf } from "./paths.js";
import { Reader } from "./reader.js";
import { Sections } from "./sections.js";

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
  "memoized",
  "overrides",
  "handler",
  "retire",
  "uninterpreted",
  "traps",
  "init",
  "registers",
  "spelling",
  "instructions",
  "transitions",
  "decoder",
  "operands",
] as const;

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
  private readonly content: Sections;
  private incomplete = false;

  constructor(files: Files, outcomes: readonly EditOutcome[], diagnostics: Diagnostics) {
    this.files = files;
    this.outcomes = outcomes;
    this.diagnostics = diagnostics;
    this.reader = new Reader(diagnostics);
    this.content = new Sections(this.reader);
  }

  definition(root: YamlMapping, file: string): Definition {
    const { reader } = this;
    const title = get(root, "title");
    const name = reader.text(get(root, "machine"), "`machine`") ?? "";
    return {
      name,
      title: title === undefined ? name : (reader.text(title, "`title`") ?? ""),
      source: reader.text(get(root, "source"), "`source`"),
      file,
      place: root.place,
      partial: reader.boolean(get(root, "partial"), "`partial`") ?? false,
      decoder: this.content.decoder,
      types: this.content.types,
      constants: this.content.constants,
      state: this.content.state,
      functions: this.content.functions,
      uninterpreted: this.content.uninterpreted,
      traps: this.content.traps,
      init: this.content.init,
      instructions: this.content.instructions,
      transitions: this.content.transitions,
      fetch: this.content.fetch,
      next: this.content.next,
      retire: this.content.retire,
      handler: this.content.handler,
      registers: this.content.registers,
      spelling: this.content.spelling,
      operands: this.content.operands,
      broken: this.content.broken,
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
    this.content.read(root, environment);
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
}

function signatureOf(given: Given): string {
  return [...given]
    .map(([name, { value: v }]) => `${name}=${v.kind === "int" || v.kind === "truth" ? v.value : v.kind}`)
    .join(",");
}
