/** The text of a refinement file: its sections, parsed where they are of the notation. */
import type { Fault } from "../../../refinement/refinement.js";
import type { Diagnostics } from "../diagnostics.js";
import { didYouMean } from "../diagnostics.js";
import type { Val } from "../elaborate/value.js";
import type { Unit } from "../elaborate/world.js";
import type { BlockEntry, FunctionEntry } from "../read/definition.js";
import type { Edit } from "../read/edits.js";
import { readFunction } from "../read/sections.js";
import { Reader } from "../read/reader.js";
import { textAt } from "../yaml/source-text.js";
import { type Yaml, type YamlMapping, type YamlScalar, get } from "../yaml/tree.js";

export const REFINEMENT_KEYS = [
  "refinement",
  "title",
  "kind",
  "guest",
  "host",
  "parameters",
  "functions",
  "flush",
  "abstraction",
  "invariant",
  "steps",
  "rank",
  "materialize",
  "concretize",
  "explore",
  "environment",
  "assume",
  "mapping",
  "faults",
  "emulator",
  "translator",
  "regions",
  "views",
  "helpers",
  "preserve",
  "request",
  "known",
] as const;

export interface FaultEntry {
  readonly fault: Fault;
  readonly edit: Edit | undefined;
  readonly place: YamlScalar["place"];
}

/** Reads sections; `parameters` are those that the file's strings see. */
export class RefinementReader {
  readonly reader: Reader;
  readonly diagnostics: Diagnostics;
  parameters: ReadonlyMap<string, Val> = new Map();

  constructor(diagnostics: Diagnostics) {
    this.diagnostics = diagnostics;
    this.reader = new Reader(diagnostics);
  }

  unit(scalar: YamlScalar): Unit {
    return { source: scalar.source, parameters: this.parameters };
  }

  block(node: Yaml | undefined, what: string): BlockEntry | undefined {
    const scalar = this.reader.scalar(node, what);
    const block = this.reader.block(scalar);
    if (scalar === undefined || block === undefined) return undefined;
    return { block, unit: this.unit(scalar), place: scalar.place };
  }

  functions(root: YamlMapping): readonly FunctionEntry[] {
    const list: FunctionEntry[] = [];
    for (const { key, value } of this.reader.entries(get(root, "functions"), "`functions`")) {
      const entry = readFunction(this.reader, key, value, (scalar) => this.unit(scalar));
      if (entry === undefined) continue;
      if (list.some((f) => f.name === entry.name)) {
        this.diagnostics.report("E_DUPLICATE", key.place, `\`${entry.name}\` is declared twice; rename or remove one`);
      } else if (entry.body !== undefined) {
        list.push({ ...entry, body: entry.body, memoized: false });
      }
    }
    return list;
  }

  assumptions(root: YamlMapping): readonly { readonly text: string; readonly condition: BlockEntry | undefined }[] {
    return this.reader.list(get(root, "assume"), "`assume`").flatMap((item) => {
      if (item.kind !== "mapping") {
        const text = this.reader.text(item, "an assumption");
        return text === undefined ? [] : [{ text, condition: undefined }];
      }
      const mapping = this.reader.mapping(item, "an assumption", ["text", "condition"]);
      const text = mapping === undefined ? undefined : this.required(mapping, "text", "an assumption");
      if (mapping === undefined || text === undefined) return [];
      return [{ text: text.text, condition: this.block(get(mapping, "condition"), "a condition") }];
    });
  }

  mapping(root: YamlMapping): readonly { readonly guest: string; readonly host: string }[] {
    return this.reader.list(get(root, "mapping"), "`mapping`").flatMap((item) => {
      const mapping = this.reader.mapping(item, "an entry of `mapping`", ["guest", "host"]);
      if (mapping === undefined) return [];
      const guest = this.required(mapping, "guest", "an entry of `mapping`");
      const host = this.required(mapping, "host", "an entry of `mapping`");
      return guest === undefined || host === undefined ? [] : [{ guest: guest.text, host: host.text }];
    });
  }

  required(mapping: YamlMapping, key: string, what: string): YamlScalar | undefined {
    return this.reader.scalar(this.needed(mapping, key, what), `\`${key}\``);
  }

  private needed(mapping: YamlMapping, key: string, what: string): Yaml | undefined {
    const node = get(mapping, key);
    if (node === undefined) this.diagnostics.reportOnce("E_STRUCTURE", mapping.place, `${what} needs \`${key}\``);
    return node;
  }

  /** A machine's faults are texts to replace; a translator plants its own, when it is told their names. */
  faults(root: YamlMapping): readonly FaultEntry[] {
    const isTranslator = get(root, "translator") !== undefined;
    return this.reader.entries(get(root, "faults"), "`faults`").flatMap((entry) => {
      const what = `the fault \`${entry.key.text}\``;
      const own = isTranslator ? ["blocks", "programs"] : ["replace", "with", "in"];
      const keys = ["title", "source", "expect", "materialization", ...own];
      const mapping = this.reader.mapping(entry.value, what, keys);
      if (mapping === undefined) return [];
      const fault = this.fault(entry.key.text, mapping);
      const edit = isTranslator ? undefined : this.edit(mapping, what);
      return [{ fault, edit, place: get(mapping, "replace")?.place ?? entry.key.place }];
    });
  }

  private fault(name: string, mapping: YamlMapping): Fault {
    const { reader } = this;
    const title = get(mapping, "title") === undefined ? undefined : reader.text(get(mapping, "title"), "`title`");
    const expect = reader.mapping(get(mapping, "expect"), "`expect`", ["obligation", "variable"]);
    const obligation = expect === undefined ? undefined : reader.text(get(expect, "obligation"), "`obligation`");
    const variable = expect === undefined ? undefined : reader.text(get(expect, "variable"), "`variable`");
    return {
      name,
      title: title ?? name,
      source: reader.text(get(mapping, "source"), "`source`"),
      obligation: obligation ?? "*",
      variable,
      materialization: reader.boolean(get(mapping, "materialization"), "`materialization`") ?? false,
      blocks: this.texts(mapping, "blocks", "a block"),
      programs: this.texts(mapping, "programs", "a program"),
    };
  }

  private texts(mapping: YamlMapping, key: string, what: string): readonly string[] {
    return this.reader.list(get(mapping, key), `\`${key}\``).flatMap((item) => this.reader.text(item, what) ?? []);
  }

  private edit(mapping: YamlMapping, what: string): Edit | undefined {
    const { reader } = this;
    const replace = this.required(mapping, "replace", what);
    const replacement = this.needed(mapping, "with", what);
    const text =
      replacement?.kind === "scalar" && replacement.value === null
        ? textAt("", replacement.place)
        : reader.scalar(replacement, "`with`")?.source;
    const where = reader.text(get(mapping, "in"), "`in`");
    if (replace === undefined || text === undefined) return undefined;
    return where === undefined
      ? { kind: "function", name: replace.text.trim(), text }
      : { kind: "text", path: where.split("."), replace: replace.text, text };
  }

  /** The key's name among what is known, or a report. */
  known(
    key: YamlScalar,
    names: readonly string[],
    code: "E_STEPS" | "E_MATERIALIZE" | "E_FAULT",
    what: string,
  ): boolean {
    if (names.includes(key.text)) return true;
    this.diagnostics.report(code, key.place, `${what} \`${key.text}\`${didYouMean(key.text, names)}`);
    return false;
  }
}
