/** The sections of machine files, parsed and put together; nothing is checked yet beyond the form. */
import type { Place } from "../../../refinement/errors.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import type { Val } from "../elaborate/value.js";
import type { Unit } from "../elaborate/world.js";
import { textAt } from "../yaml/source-text.js";
import { type Yaml, type YamlMapping, type YamlScalar, get } from "../yaml/tree.js";
import type {
  BlockEntry,
  ConstantEntry,
  FetchEntry,
  FunctionEntry,
  InstructionEntry,
  OperandsEntry,
  RegistersEntry,
  SpellingEntry,
  StateEntry,
  TransitionEntry,
  TrapEntry,
  TypeEntry,
  UninterpretedEntry,
} from "./definition.js";
import type { Reader } from "./reader.js";

const INSTRUCTION_KEYS = [
  "encoding",
  "assembly",
  "execute",
  "expands",
  "except",
  "where",
  "operands",
  "mnemonic",
  "widths",
] as const;

/** Words that cannot be names. */
const RESERVED: ReadonlySet<string> = new Set([
  "let",
  "var",
  "if",
  "else",
  "for",
  "in",
  "raise",
  "choose",
  "match",
  "true",
  "false",
  "_",
]);

export class Sections {
  private readonly reader: Reader;
  private readonly diagnostics: Diagnostics;
  readonly types: TypeEntry[] = [];
  readonly constants: ConstantEntry[] = [];
  readonly state: StateEntry[] = [];
  readonly functions: FunctionEntry[] = [];
  readonly uninterpreted: UninterpretedEntry[] = [];
  readonly traps: TrapEntry[] = [];
  readonly init: BlockEntry[] = [];
  readonly instructions: InstructionEntry[] = [];
  readonly transitions: TransitionEntry[] = [];
  fetch: FetchEntry | undefined;
  next: BlockEntry | undefined;
  retire: BlockEntry | undefined;
  handler: YamlScalar | undefined;
  readonly registers: RegistersEntry[] = [];
  readonly spelling: SpellingEntry[] = [];
  operands: OperandsEntry | undefined;
  decoder: { readonly name: string; readonly place: Place } | undefined;
  private readonly declared = new Map<string, Map<string, Place>>();
  readonly broken = new Set<string>();

  constructor(reader: Reader) {
    this.reader = reader;
    this.diagnostics = reader.diagnostics;
  }

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

  /** Adds what a file has; its strings see `parameters`. */
  read(root: YamlMapping, parameters: ReadonlyMap<string, Val>): void {
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
      this.functionEntry(key, value, unit, false);
    for (const { key, value } of reader.entries(get(root, "memoized"), "`memoized`"))
      this.functionEntry(key, value, unit, true);
    for (const { key, value } of reader.entries(get(root, "overrides"), "`overrides`")) this.override(key, value, unit);
    this.uninterpretedEntries(get(root, "uninterpreted"), unit);
    for (const { key, value } of reader.entries(get(root, "traps"), "`traps`")) this.trap(key, value, unit);
    this.initial(get(root, "init"), unit);
    for (const { key, value } of reader.entries(get(root, "registers"), "`registers`")) {
      const names = reader
        .list(value, `the names of \`${key.text}\``)
        .map((n) => reader.text(n, "a register's name") ?? "");
      this.registers.push({ file: key.text, place: key.place, names });
    }
    for (const { key, value } of reader.entries(get(root, "spelling"), "`spelling`")) {
      if (!this.declare("spelling", key.text, key.place)) continue;
      const names = reader
        .list(value, `the spelling of \`${key.text}\``)
        .map((n) => reader.text(n, "a value's name") ?? "");
      this.spelling.push({ field: key.text, place: key.place, names });
    }
    for (const { key, value } of reader.entries(get(root, "instructions"), "`instructions`"))
      this.instruction(key, value, unit);
    for (const { key, value } of reader.entries(get(root, "transitions"), "`transitions`"))
      this.transition(key, value, unit);
    this.fetchEntry(get(root, "fetch"), unit);
    this.operandsEntry(get(root, "operands"), unit);
    const decoder = reader.scalar(get(root, "decoder"), "`decoder`");
    if (decoder !== undefined) this.decoder = { name: decoder.text, place: decoder.place };
    const next = this.block(get(root, "next"), "`next`", unit);
    if (next !== undefined) this.next = next;
    const retire = this.block(get(root, "retire"), "`retire`", unit);
    if (retire !== undefined) this.retire = retire;
    const handler = get(root, "handler");
    if (handler !== undefined) this.handler = reader.scalar(handler, "`handler`");
  }

  private name(key: YamlScalar): boolean {
    if (RESERVED.has(key.text)) {
      this.diagnostics.report("E_SYNTAX", key.place, `\`${key.text}\` is a word of the notation; choose another name`);
      return false;
    }
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

  private functionEntry(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit, memoized: boolean): void {
    const entry = readFunction(this.reader, key, value, unit);
    if (entry === undefined) {
      this.broken.add(headOf(key.text));
      return;
    }
    if (!this.declare("function", entry.name, key.place)) return;
    if (entry.body !== undefined) this.functions.push({ ...entry, body: entry.body, memoized });
    else this.broken.add(entry.name);
  }

  /** The function stays at its place in the order; its base's body is gone. */
  private override(key: YamlScalar, value: Yaml, unit: (scalar: YamlScalar) => Unit): void {
    const entry = readFunction(this.reader, key, value, unit);
    if (entry === undefined) return;
    const at = this.functions.findIndex((f) => f.name === entry.name);
    const base = this.functions[at];
    if (base === undefined) {
      if (this.broken.has(entry.name)) return;
      const known = this.functions.map((f) => f.name);
      this.diagnostics.report(
        "E_OVERRIDE",
        key.place,
        `no machine that this one extends has a function \`${entry.name}\`${didYouMean(entry.name, known) || "; a new one stands under `functions:`"}`,
      );
      return;
    }
    const [wanted, given] = [base, entry].map((f) => signatureText(f.unit.source.text));
    if (wanted !== given) {
      this.diagnostics.report(
        "E_OVERRIDE",
        key.place,
        `\`${entry.name}\` keeps its signature when it is given anew: \`${base.unit.source.text}\`, ${base.place.file}:${base.place.line}`,
      );
    } else if (entry.body !== undefined) {
      this.functions[at] = { ...entry, body: entry.body, memoized: base.memoized };
    }
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
    const expands = this.expands(key, get(mapping, "expands"), unit);
    if (expands !== undefined && execute !== undefined)
      this.diagnostics.report(
        "E_STRUCTURE",
        expands.place,
        `\`${key.text}\` says with \`execute\` what it does and with \`expands\` that another instruction does it; remove one`,
      );
    if (get(mapping, "expands") === undefined && execute === undefined)
      this.diagnostics.reportOnce(
        "E_STRUCTURE",
        mapping.place,
        `the instruction \`${key.text}\` needs \`execute\`, what it does, or \`expands\`, the instruction that it stands for`,
      );
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
      expands,
      except: this.block(get(mapping, "except"), "`except`", unit),
      where: this.block(get(mapping, "where"), "`where`", unit),
      operands: reader.scalar(operands, "`operands`"),
      mnemonic: reader.text(get(mapping, "mnemonic"), "`mnemonic`"),
      widths:
        get(mapping, "widths") === undefined
          ? undefined
          : reader.list(get(mapping, "widths"), "`widths`").flatMap((w) => reader.scalar(w, "a width") ?? []),
    });
  }

  /** `expands: { addi: { rd: rd, rs1: rd, imm: sext(imm) } }` */
  private expands(
    key: YamlScalar,
    node: Yaml | undefined,
    unit: (scalar: YamlScalar) => Unit,
  ): InstructionEntry["expands"] {
    const { reader } = this;
    const what = `what \`${key.text}\` expands to`;
    const mapping = reader.mapping(node, what);
    if (mapping === undefined) return undefined;
    const [only, ...more] = mapping.entries;
    if (only === undefined || more.length > 0) {
      this.diagnostics.report(
        "E_STRUCTURE",
        mapping.place,
        `${what} is one instruction with its operands, as in { addi: { rd: rd, rs1: rd, imm: sext(imm) } }`,
      );
      return undefined;
    }
    const operands = reader.entries(only.value, `the operands of \`${only.key.text}\``).map((e) => ({
      name: e.key.text,
      place: e.key.place,
      value: this.block(e.value, `the operand \`${e.key.text}\``, unit),
    }));
    return { instruction: only.key.text, place: only.key.place, operands };
  }

  private operandsEntry(node: Yaml | undefined, unit: (scalar: YamlScalar) => Unit): void {
    const { reader } = this;
    const mapping = reader.mapping(node, "`operands`", ["registers", "write", "memory", "segments", "access"]);
    if (mapping === undefined) return;
    this.operands = {
      place: mapping.place,
      registers: reader
        .list(get(mapping, "registers"), "`registers`")
        .flatMap((name) => reader.scalar(name, "a register's variable") ?? []),
      write: this.block(get(mapping, "write"), "`write`", unit),
      memory: reader.scalar(get(mapping, "memory"), "`memory`"),
      segments: reader.entries(get(mapping, "segments"), "`segments`").flatMap(({ key, value }) => {
        const base = reader.scalar(value, "the base of a segment");
        return base === undefined ? [] : [{ segment: key.text, base }];
      }),
      access: this.block(get(mapping, "access"), "`access`", unit),
    };
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
    const mapping = this.reader.mapping(node, "`fetch`", ["from", "length", "illegal", "overlong", "when"]);
    if (mapping === undefined) return;
    this.fetch = {
      place: mapping.place,
      from: this.block(get(mapping, "from"), "`from`", unit),
      length: this.block(get(mapping, "length"), "`length`", unit),
      illegal: this.block(get(mapping, "illegal"), "`illegal`", unit),
      overlong: this.block(get(mapping, "overlong"), "`overlong`", unit),
      when: this.block(get(mapping, "when"), "`when`", unit),
    };
  }
}

/** A function of `functions:`; `body` is undefined if it could not be parsed. */
export function readFunction(
  reader: Reader,
  key: YamlScalar,
  value: Yaml,
  unit: (scalar: YamlScalar) => Unit,
): (Omit<FunctionEntry, "body" | "memoized"> & { readonly body: FunctionEntry["body"] | undefined }) | undefined {
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

/** A signature without its blanks: those that say the same are the same. */
function signatureText(text: string): string {
  return text.replaceAll(/\s+/g, "");
}

function words(text: string): readonly string[] {
  return text.match(/[A-Za-z_]\w*/g) ?? [];
}

/** The name that a signature in error declares, as far as one can tell. */
function headOf(signature: string): string {
  return /^\s*([A-Za-z_]\w*)/.exec(signature)?.[1] ?? signature;
}
