/** A refinement file whose host is an emulator, run in lockstep: a module's, a program that makes steps, or a GDB stub. */
import { ARCHITECTURES, SIGNALS } from "../../../refinement/gdb.js";
import type { Machine } from "../../../refinement/machine.js";
import type {
  EmulatorSource,
  Refinement,
  RegisterBits,
  RoomPart,
  RoomSource,
  StubSource,
} from "../../../refinement/refinement.js";
import type { Access } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import type { Files } from "../files.js";
import { directoryOf, join } from "../read/paths.js";
import { plain } from "../schema/validate.js";
import { type Yaml, type YamlMapping, type YamlScalar, get } from "../yaml/tree.js";
import type { RefinementReader } from "./file.js";
import type { Common } from "./builder.js";

/** Keys of a refinement file that say nothing of an emulator. */
const NOT_OF_AN_EMULATOR = [
  "host",
  "flush",
  "abstraction",
  "invariant",
  "steps",
  "rank",
  "materialize",
  "concretize",
  "explore",
  "environment",
  "functions",
] as const;

const ROOM_KEYS = ["memory", "avoid", "hidden", "exempt", "timeout"] as const;
const COMMAND_KEYS = ["command", ...ROOM_KEYS] as const;
const GDB_KEYS = ["gdb", "architecture", "registers", "signals", ...ROOM_KEYS] as const;

const DEFAULT_TIMEOUT_MS = 10_000n;
/** Bytes of all parts together: after each step all of them are looked at. */
const MOST_MEMORY = 1n << 20n;
const LETTERS: ReadonlyMap<string, Access> = new Map([
  ["r", "load"],
  ["w", "store"],
  ["x", "fetch"],
]);

export function emulatorRefinement(
  root: YamlMapping,
  emulator: Yaml,
  common: Common,
  reader: RefinementReader,
  files: Files,
): Refinement | undefined {
  for (const key of NOT_OF_AN_EMULATOR) {
    const node = get(root, key);
    if (node !== undefined)
      reader.diagnostics.report(
        "E_EMULATOR",
        node.place,
        `\`${key}\` has no meaning for an emulator, which is run in lockstep and cannot show its state transitions; remove it`,
      );
  }
  const mapping = reader.reader.mapping(emulator, "`emulator`");
  const source = mapping === undefined ? undefined : new Builder(mapping, common, reader, files).source();
  if (source === undefined) return undefined;
  const assumptions = reader.assumptions(root).map(({ text }) => ({ text, condition: undefined }));
  return { ...common, form: "emulator", emulator: source, assumptions };
}

class Builder {
  private readonly mapping: YamlMapping;
  private readonly guest: Machine;
  private readonly directory: string;
  private readonly reader: RefinementReader;
  private readonly files: Files;

  constructor(mapping: YamlMapping, common: Common, reader: RefinementReader, files: Files) {
    this.mapping = mapping;
    this.guest = common.guest;
    this.directory = directoryOf(common.file);
    this.reader = reader;
    this.files = files;
  }

  private wrong(node: { readonly place: Yaml["place"] }, message: string): undefined {
    this.reader.diagnostics.report("E_EMULATOR", node.place, message);
    return undefined;
  }

  source(): EmulatorSource | undefined {
    const { mapping, reader } = this;
    const [module, command, gdb] = [get(mapping, "module"), get(mapping, "command"), get(mapping, "gdb")];
    if ([module, command, gdb].filter((key) => key !== undefined).length !== 1)
      return this.wrong(
        mapping,
        "`emulator` needs one of a `module`, a `command` that makes steps, and `gdb`, where a stub listens",
      );
    if (module !== undefined) {
      const name = reader.reader.scalar(module, "`module`");
      if (name === undefined) return undefined;
      const options = plain({ ...mapping, entries: mapping.entries.filter((e) => e.key.text !== "module") });
      return { kind: "module", module: this.files.module(join(this.directory, name.text)), options };
    }
    reader.reader.mapping(mapping, "`emulator`", command === undefined ? GDB_KEYS : COMMAND_KEYS);
    const room = this.room();
    if (command !== undefined) {
      const words = this.words(command);
      if (words.length === 0) return this.wrong(command, "`command` names no program");
      const program = { command: words, directory: this.folder, timeoutMs: this.timeoutMs() };
      return room === undefined ? undefined : { kind: "command", program, room };
    }
    const stub = this.stub(gdb ?? mapping);
    return room === undefined || stub === undefined ? undefined : { kind: "gdb", ...stub, room };
  }

  private get folder(): string {
    return this.files.absolute(this.directory);
  }

  private timeoutMs(): number {
    const node = get(this.mapping, "timeout");
    const timeout = this.reader.reader.integer(node, "`timeout`") ?? DEFAULT_TIMEOUT_MS;
    if (node !== undefined && timeout < 1n) this.wrong(node, "`timeout` is a number of milliseconds, at least 1");
    return Number(timeout);
  }

  private words(node: Yaml): readonly string[] {
    return this.reader.reader.list(node, "a command").flatMap((item) => {
      const text = this.reader.reader.text(item, "a word of a command");
      return text === undefined ? [] : [text];
    });
  }

  private stub(gdb: Yaml): StubSource | undefined {
    const { reader, mapping } = this;
    const where = this.listening(gdb);
    const architecture = reader.required(mapping, "architecture", "`emulator` with `gdb`");
    const known = [...ARCHITECTURES.keys()];
    if (architecture !== undefined && !known.includes(architecture.text))
      this.wrong(
        architecture,
        `there is no architecture \`${architecture.text}\`${didYouMean(architecture.text, known) || `; known are ${known.join(", ")}`}`,
      );
    const [registers, signals] = [this.registers(), this.signals()];
    if (where === undefined || architecture === undefined) return undefined;
    return {
      ...where,
      directory: this.folder,
      timeoutMs: this.timeoutMs(),
      architecture: architecture.text,
      registers,
      signals,
    };
  }

  /** An address, or a command that starts the stub, with the address where that does not hold a placeholder for it. */
  private listening(gdb: Yaml): Pick<StubSource, "address" | "command"> | undefined {
    if (gdb.kind === "scalar") {
      const address = this.address(gdb);
      return address === undefined ? undefined : { address, command: undefined };
    }
    const given = this.reader.reader.mapping(gdb, "`gdb`", ["command", "address"]);
    const node = given === undefined ? undefined : get(given, "command");
    if (given === undefined) return undefined;
    const command = node === undefined ? [] : this.words(node);
    if (command.length === 0)
      return this.wrong(gdb, "`gdb` needs the address of a stub, or a `command` that starts one");
    const at = get(given, "address");
    const address = at === undefined ? undefined : this.address(this.reader.reader.scalar(at, "`address`"));
    const placed = command.some((word) => /\{port\}|\{socket\}/.test(word));
    if (placed === (at !== undefined))
      return this.wrong(
        at ?? gdb,
        "where the stub listens must be told once: by `{port}` or `{socket}` in the command, or by `address`",
      );
    return at !== undefined && address === undefined ? undefined : { address, command };
  }

  private address(node: YamlScalar | undefined): string | undefined {
    if (node === undefined) return undefined;
    if (node.text.includes("/")) return join(this.folder, node.text);
    const [, port] = /^[^\s]*:(\d{1,5})$/.exec(node.text) ?? [];
    if (port !== undefined && Number(port) > 0 && Number(port) < 65_536) return node.text;
    return this.wrong(node, `\`${node.text}\` is no address: "host:port", or the path of a socket`);
  }

  private registers(): ReadonlyMap<string, RegisterBits> {
    const found = new Map<string, RegisterBits>();
    for (const { key, value } of this.reader.reader.entries(get(this.mapping, "registers"), "`registers`")) {
      const name = key.text.replace(/\[\d+\]$/, "");
      if (!this.guest.variables.some((v) => v.name === name && v.sort.kind !== "memory"))
        this.unknown(key, `variable \`${key.text}\``, this.variables());
      const node = this.reader.reader.scalar(value, "a register");
      const [, register, high, low] = /^([\w.:-]+?)(?:\[(\d+)(?::(\d+))?\])?$/.exec(node?.text ?? "") ?? [];
      if (node === undefined) continue;
      const bits = high === undefined ? undefined : { high: Number(high), low: Number(low ?? high) };
      if (register === undefined || (bits !== undefined && bits.low > bits.high))
        this.wrong(node, `\`${node.text}\` is no register: its name, or bits of it, as in eflags[0] or mstatus[12:11]`);
      else found.set(key.text, { register, bits });
    }
    return found;
  }

  private signals(): ReadonlyMap<string, readonly string[]> {
    const found = new Map<string, readonly string[]>();
    for (const { key, value } of this.reader.reader.entries(get(this.mapping, "signals"), "`signals`")) {
      if (!SIGNALS.has(key.text)) this.unknown(key, `signal \`${key.text}\``, [...SIGNALS.keys()]);
      found.set(key.text, this.traps(value));
    }
    return found;
  }

  private traps(node: Yaml | undefined): readonly string[] {
    const names = this.guest.traps.map((t) => t.name);
    return this.scalars(node, "a trap").flatMap((item) => {
      if (!names.includes(item.text)) this.unknown(item, `trap \`${item.text}\``, names);
      return [item.text];
    });
  }

  private scalars(node: Yaml | undefined, what: string): readonly YamlScalar[] {
    if (node === undefined) return [];
    const items = node.kind === "sequence" ? node.items : [node];
    return items.flatMap((item) => this.reader.reader.scalar(item, what) ?? []);
  }

  private unknown(node: YamlScalar, what: string, known: readonly string[]): void {
    this.wrong(node, `${this.guest.name} has no ${what}${didYouMean(node.text, known)}`);
  }

  private variables(): readonly string[] {
    return this.guest.variables.map((v) => v.name);
  }

  private room(): RoomSource | undefined {
    const node = get(this.mapping, "memory");
    if (node === undefined) return this.wrong(this.mapping, "`emulator` needs the `memory` that cases may use");
    const before = this.reader.diagnostics.count;
    const parts = this.reader.reader.list(node, "`memory`").flatMap((item) => this.part(item) ?? []);
    parts.forEach((part, i) => {
      if (parts.slice(0, i).some((other) => part.start < other.end && other.start < part.end))
        this.wrong(node, `the memory at 0x${part.start.toString(16)} overlaps with another part`);
    });
    const held = parts.reduce((sum, p) => sum + (p.access.length === 0 ? 0n : p.end - p.start), 0n);
    if (held > MOST_MEMORY)
      this.wrong(node, `\`memory\` has ${held} bytes; after each step all are looked at: at most ${MOST_MEMORY}`);
    if (this.reader.diagnostics.count === before && !parts.some((p) => p.access.includes("fetch")))
      this.wrong(node, "no part of `memory` has `x` in its `access`: instructions need a place");
    const hidden = this.scalars(get(this.mapping, "hidden"), "a variable");
    for (const item of hidden)
      if (!this.variables().some((name) => name === item.text || name.startsWith(`${item.text}.`)))
        this.unknown(item, `variable \`${item.text}\``, this.variables());
    return {
      parts,
      avoid: this.traps(get(this.mapping, "avoid")),
      hidden: hidden.map((h) => h.text),
      exempt: this.exempt(),
    };
  }

  private part(node: Yaml): RoomPart | undefined {
    const what = "a part of `memory`";
    const mapping = this.reader.reader.mapping(node, what, ["at", "size", "access"]);
    if (mapping === undefined) return undefined;
    const at = this.reader.reader.integer(get(mapping, "at"), "`at`");
    const size = this.reader.reader.integer(get(mapping, "size"), "`size`");
    const access = this.reader.required(mapping, "access", what);
    if (at === undefined || size === undefined || access === undefined)
      return this.wrong(node, `${what} needs \`at\`, \`size\` and \`access\``);
    const width = this.guest.variables.flatMap((v) => (v.sort.kind === "memory" ? [v.sort.address] : []))[0] ?? 64;
    if (at < 0n || size < 1n || at + size > 1n << BigInt(width))
      return this.wrong(node, `${what} lies within the guest's ${width}-bit addresses and has at least one byte`);
    const letters = access.text === "none" ? [] : [...access.text];
    const allowed = letters.flatMap((letter) => LETTERS.get(letter) ?? []);
    if (allowed.length !== letters.length || new Set(letters).size !== letters.length)
      return this.wrong(access, `\`${access.text}\` is no access: some of r, w and x, as in rw, or none`);
    return { start: at, end: at + size, access: allowed };
  }

  private exempt(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    const names = this.transitions();
    for (const { key, value } of this.reader.reader.entries(get(this.mapping, "exempt"), "`exempt`")) {
      if (!names.includes(key.text)) this.unknown(key, `transition \`${key.text}\``, names);
      found.set(key.text, this.reader.reader.text(value, "a reason") ?? "");
    }
    return found;
  }

  private transitions(): readonly string[] {
    return this.guest.transitions.map((t) => t.name);
  }
}
