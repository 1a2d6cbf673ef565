/** A refinement file whose host code comes from a translator. */
import type {
  BasedRegion,
  GuestRegion,
  Helper,
  Known,
  Refinement,
  Region,
  TranslatorSource,
  View,
} from "../../../refinement/refinement.js";
import type { Machine, Parameter, ScalarType, StateVariable, Type } from "../../../refinement/machine.js";
import type { Term } from "../../../refinement/terms/term.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import { didYouMean } from "../diagnostics.js";
import type { Files } from "../files.js";
import type { ElaboratedMachine } from "../machine/machine.js";
import { conditionOf, effectOf, NOTHING } from "../machine/transitions.js";
import { directoryOf, join } from "../read/paths.js";
import { plain } from "../schema/validate.js";
import { type Yaml, type YamlEntry, type YamlMapping, type YamlScalar, get } from "../yaml/tree.js";
import { mapState } from "./abstraction.js";
import { TRUE, variable } from "../../../refinement/terms/build.js";
import type { World } from "../elaborate/world.js";
import type { RefinementReader } from "./file.js";
import { type Common, HostBuilder } from "./builder.js";

/** Keys of a refinement file that say nothing of a translator. */
const NOT_OF_A_TRANSLATOR = [
  "flush",
  "invariant",
  "steps",
  "rank",
  "materialize",
  "concretize",
  "explore",
  "environment",
  "emulator",
] as const;

/** Host addresses at and beyond which nothing lies: the upper half of a 48-bit address space is the system's. */
const DEFAULT_LIMIT = 1n << 47n;
const DEFAULT_TIMEOUT_MS = 10_000n;

/** A guest that departs from the refinement's as the host does. */
export interface KnownGuest {
  readonly guest: ElaboratedMachine;
  readonly findings: ReadonlyMap<string, string>;
  readonly abstraction: Yaml | undefined;
  readonly see: string;
}

/** What the file names. */
export interface Machines {
  readonly guest: ElaboratedMachine;
  readonly host: ElaboratedMachine;
  readonly known: KnownGuest | undefined;
}

export function translatorRefinement(
  root: YamlMapping,
  common: Common,
  { guest, host, known }: Machines,
  reader: RefinementReader,
  files: Files,
): Refinement | undefined {
  const builder = new Builder(root, guest, host, reader);
  builder.machines();
  const translator = builder.translator(common.file, files);
  const { regions, limit } = builder.regions();
  const { memory, abstraction } = builder.abstraction(regions);
  const views = builder.views(abstraction, regions);
  const helpers = builder.helpers();
  const preserve = builder.preserve(regions);
  const request = builder.request();
  if (translator === undefined) return undefined;
  return {
    ...common,
    form: "translator",
    host: host.machine,
    translator,
    abstraction,
    views,
    memory,
    regions,
    limit,
    helpers,
    preserve,
    request,
    known: known === undefined ? undefined : builder.known(known),
    assumptions: [
      ...builder.trusted(regions, limit, helpers, request),
      ...reader.assumptions(root).map(({ text }) => text),
    ].map((text) => ({ text, condition: undefined })),
  };
}

class Builder extends HostBuilder {
  constructor(root: YamlMapping, guest: ElaboratedMachine, host: ElaboratedMachine, reader: RefinementReader) {
    // One that both sides name is one function: equal arguments give equal results on either.
    super(root, guest, host, reader, (own) => ({
      ...own,
      uninterpreted: new Map([...guest.world.uninterpreted, ...own.uninterpreted]),
    }));
  }

  private wrong(node: { readonly place: Yaml["place"] }, message: string): undefined {
    this.diagnostics.report("E_TRANSLATOR", node.place, message);
    return undefined;
  }

  /** What a translator needs of both machines, and keys that mean nothing here. */
  machines(): void {
    const { guest, host, root } = this;
    for (const key of NOT_OF_A_TRANSLATOR) {
      const node = get(root, key);
      if (node !== undefined)
        this.wrong(node, `\`${key}\` has no meaning for a translator, whose code is executed symbolically; remove it`);
    }
    if (guest.machine.instructionSet === undefined)
      this.wrong(
        get(root, "guest") ?? root,
        `the guest of a translator is an instruction set with encodings; ${guest.machine.name} has none`,
      );
    if (host.decoded === undefined)
      this.wrong(
        get(root, "host") ?? root,
        `the host of a translator is an instruction set with a \`decoder\`; ${host.name} has none`,
      );
    const own = this.memoryOf(host);
    for (const v of guest.machine.variables)
      if (v.sort.kind === "memory" && own?.sort !== v.sort)
        this.wrong(
          get(root, "guest") ?? root,
          `the guest's \`${v.name}\` and the host's memory must have addresses of one width`,
        );
  }

  translator(file: string, files: Files): TranslatorSource | undefined {
    const mapping = this.reader.reader.mapping(get(this.root, "translator"), "`translator`");
    if (mapping === undefined) return undefined;
    const [module, command] = [get(mapping, "module"), get(mapping, "command")];
    if ((module === undefined) === (command === undefined))
      return this.wrong(mapping, "`translator` needs either a `command`, a program and its arguments, or a `module`");
    if (module !== undefined) {
      const name = this.reader.reader.scalar(module, "`module`");
      if (name === undefined) return undefined;
      const options = plain({ ...mapping, entries: mapping.entries.filter((e) => e.key.text !== "module") });
      return { kind: "module", module: files.module(join(directoryOf(file), name.text)), options };
    }
    this.reader.reader.mapping(mapping, "`translator`", ["command", "timeout", "unit"]);
    const words = this.reader.reader.list(command, "`command`").flatMap((item) => {
      const text = this.reader.reader.text(item, "a word of `command`");
      return text === undefined ? [] : [text];
    });
    if (words.length === 0 && command !== undefined) return this.wrong(command, "`command` names no program");
    const timeout = this.reader.reader.integer(get(mapping, "timeout"), "`timeout`") ?? DEFAULT_TIMEOUT_MS;
    const unit = this.reader.reader.scalar(get(mapping, "unit"), "`unit`");
    if (unit !== undefined && unit.text !== "block" && unit.text !== "program")
      this.wrong(unit, `\`unit\` is what is translated at a time: block or program, not \`${unit.text}\``);
    return {
      kind: "command",
      wholePrograms: unit?.text === "program",
      command: words,
      directory: files.absolute(directoryOf(file)),
      timeoutMs: Number(timeout),
    };
  }

  regions(): { readonly regions: readonly Region[]; readonly limit: bigint } {
    const node = get(this.root, "regions");
    if (node === undefined)
      this.wrong(this.root, "a translator needs `regions`: the parts of the host's memory that its code may access");
    const regions: Region[] = [];
    let limit = DEFAULT_LIMIT;
    for (const { key, value } of this.reader.reader.entries(node, "`regions`")) {
      if (key.text === "limit") limit = this.reader.reader.integer(value, "`limit`") ?? limit;
      else {
        const region = this.region(key, value);
        if (region !== undefined) regions.push(region);
      }
    }
    if (regions.filter((r) => r.kind === "guest").length > 1 && node !== undefined)
      this.wrong(node, "`regions` has the guest's memory (`at`) more than once");
    if (node !== undefined) this.disjoint(node, regions, limit);
    return { regions, limit };
  }

  /** Regions that can never lie apart would make every proof one about no state at all. */
  private disjoint(node: Yaml, regions: readonly Region[], limit: bigint): void {
    const based = regions.filter((r) => r.kind === "based");
    for (const [i, a] of based.entries())
      for (const b of based.slice(0, i))
        if (a.base === b.base && -a.below < b.size && -b.below < a.size)
          this.wrong(
            entryOf(node, a.name),
            `the regions \`${b.name}\` and \`${a.name}\` overlap: both lie at ${a.base}`,
          );
    if (based.reduce((sum, r) => sum + r.below + r.size, 0n) >= limit)
      this.wrong(node, `the regions do not fit below the limit, 0x${limit.toString(16)}`);
  }

  private region(key: YamlScalar, value: Yaml): Region | undefined {
    const what = `the region \`${key.text}\``;
    const { reader } = this.reader;
    const mapping = reader.mapping(value, what, ["base", "below", "size", "at", "register", "write-only"]);
    if (mapping === undefined) return undefined;
    const [base, at] = [get(mapping, "base"), get(mapping, "at")];
    if ((base === undefined) === (at === undefined))
      return this.wrong(
        mapping,
        `${what} lies at a register (\`base\`, with \`size\` or \`below\`), or is the guest's memory (\`at\`)`,
      );
    if (at !== undefined) {
      const writeOnly = reader.boolean(get(mapping, "write-only"), "`write-only`") ?? true;
      const held = reader.scalar(get(mapping, "register"), "`register`");
      const register = held !== undefined && this.isRegister(held) ? held.text : undefined;
      const offset = reader.integer(at, "`at`") ?? 0n;
      const guest: GuestRegion = { kind: "guest", name: key.text, at: offset, register, writeOnly };
      return guest;
    }
    const register = reader.scalar(base, "`base`");
    if (register === undefined || !this.isRegister(register)) return undefined;
    const below = reader.integer(get(mapping, "below"), "`below`") ?? 0n;
    const size = reader.integer(get(mapping, "size"), "`size`") ?? 0n;
    if (below < 0n || size < 0n || below + size === 0n)
      return this.wrong(
        mapping,
        `${what} has no bytes: give the \`size\` in bytes from the base on, or \`below\`, those before it`,
      );
    const based: BasedRegion = { kind: "based", name: key.text, base: register.text, below, size };
    return based;
  }

  private isRegister(name: YamlScalar): boolean {
    const known = this.host.variables.filter((v) => !v.implicit && (v.sort.kind === "bits" || v.sort.kind === "bool"));
    if (known.some((v) => v.name === name.text)) return true;
    const names = known.map((v) => v.name);
    this.wrong(name, `the host has no register \`${name.text}\`${didYouMean(name.text, names)}`);
    return false;
  }

  /** What a translation relies on when it is entered is there for the next one. */
  preserve(regions: readonly Region[]): readonly string[] {
    const relied = regions.flatMap((r) => (r.kind === "guest" && r.register !== undefined ? [r.register] : []));
    return [...new Set([...this.registers(get(this.root, "preserve"), "`preserve`"), ...relied])];
  }

  request(): Term | undefined {
    const node = get(this.root, "request");
    return node === undefined ? undefined : this.condition(node, "request", "the request");
  }

  private condition(node: Yaml, key: string, what: string): Term {
    return conditionOf(this.elaboration, this.reader.block(node, `\`${key}\``), [], what);
  }

  private registers(node: Yaml | undefined, what: string): readonly string[] {
    return this.reader.reader.list(node, what).flatMap((item) => {
      const name = this.reader.reader.scalar(item, "a register");
      return name === undefined || !this.isRegister(name) ? [] : [name.text];
    });
  }

  /** Memories are regions; the rest are expressions; the program counter may be left out, and nothing is trapped. */
  abstraction(regions: readonly Region[]): {
    readonly memory: ReadonlyMap<string, string>;
    readonly abstraction: ReadonlyMap<string, Term>;
  } {
    const node = get(this.root, "abstraction");
    const entries = this.reader.reader.entries(node, "`abstraction`");
    const variables = this.guest.machine.variables;
    const isMemory = (e: YamlEntry): StateVariable | undefined =>
      variables.find((v) => v.name === e.key.text && v.sort.kind === "memory");
    const memory = new Map<string, string>();
    for (const entry of entries) {
      const v = isMemory(entry);
      if (v === undefined) continue;
      const region = this.reader.reader.scalar(entry.value, `the region of \`${v.name}\``);
      if (region === undefined) continue;
      const found = regions.find((r) => r.kind === "guest" && r.name === region.text.trim());
      if (found === undefined)
        this.diagnostics.report(
          "E_ABSTRACTION",
          region.place,
          `the guest's memory \`${v.name}\` is a region that has \`at\`; there is none called \`${region.text.trim()}\``,
        );
      memory.set(v.name, region.text.trim());
    }
    const abstraction = this.terms(
      entries.filter((e) => isMemory(e) === undefined),
      this.guest.world,
      "guest",
    );
    const counter = this.guest.machine.instructionSet?.programCounter;
    const named = new Set(entries.map((e) => /^\w+/.exec(e.key.text)?.[0]));
    const absent = variables.filter(
      (v) =>
        !v.implicit &&
        v.name !== counter &&
        !abstraction.has(v.name) &&
        !memory.has(v.name) &&
        !named.has(rootOf(v.name)),
    );
    if (absent.length > 0 || node === undefined)
      this.diagnostics.report(
        "E_ABSTRACTION",
        node?.place ?? this.root.place,
        `\`abstraction\` says nothing of the guest's ${absent.map((v) => `\`${v.name}\``).join(", ")}; give an expression over host state for each, and a region for memory`,
      );
    return { memory, abstraction };
  }

  /** Each is the abstraction with what it gives anew. */
  views(usual: ReadonlyMap<string, Term>, regions: readonly Region[]): ReadonlyMap<string, View> {
    const views = new Map<string, View>();
    for (const { key, value } of this.reader.reader.entries(get(this.root, "views"), "`views`")) {
      const { reader } = this.reader;
      const mapping = reader.mapping(value, `the view \`${key.text}\``, ["abstraction", "seen", "entry", "invariant"]);
      if (mapping === undefined) continue;
      const own = this.terms(reader.entries(get(mapping, "abstraction"), "`abstraction`"), this.guest.world, "guest");
      const entries = reader.entries(get(mapping, "entry"), "`entry`").filter((e) => this.isRegister(e.key));
      const entry = this.terms(entries, this.elaboration.world, "host");
      for (const r of regions)
        if (r.kind === "based" && readsMemory(entry.get(r.base)))
          this.wrong(value, `\`${r.base}\`, where the region \`${r.name}\` lies, must be found in registers`);
      const invariant = get(mapping, "invariant");
      views.set(key.text, {
        abstraction: new Map([...usual, ...own]),
        seen: this.seen(get(mapping, "seen")),
        entry,
        invariant: invariant === undefined ? TRUE : this.condition(invariant, "invariant", "the invariant"),
      });
    }
    return views;
  }

  /** Each is an effect like an instruction's. What a function leaves in the registers that it does not preserve is left open. */
  helpers(): ReadonlyMap<string, Helper> {
    const helpers = new Map<string, Helper>();
    for (const { key, value } of this.reader.reader.entries(get(this.root, "helpers"), "`helpers`")) {
      const { reader } = this.reader;
      const mapping = reader.mapping(value, `the helper \`${key.text}\``, ["effect", "clobbers"]);
      if (mapping === undefined) continue;
      const entry = this.reader.block(get(mapping, "effect"), "`effect`");
      const body = effectOf(this.elaboration, entry, key.text, []);
      const { effect, choices } = body;
      const isWrong = entry !== undefined && body === NOTHING;
      if (!isWrong && !effect.assigns.has(this.host.decoded?.programCounter ?? ""))
        this.wrong(
          key,
          `the helper \`${key.text}\` has to return: let its \`effect\` end so, on x86-64 with \`return(0)\``,
        );
      const left: Parameter[] = [];
      const assigns = new Map(effect.assigns);
      for (const name of this.registers(get(mapping, "clobbers"), "`clobbers`")) {
        const register = this.host.variables.find((v) => v.name === name);
        if (register === undefined || !isScalar(register.type) || assigns.has(name)) continue;
        const term = variable(`${key.text}(${name})`, register.sort);
        left.push({ name, term, type: register.type });
        assigns.set(name, term);
      }
      helpers.set(key.text, { name: key.text, choices: [...choices, ...left], effect: { ...effect, assigns } });
    }
    return helpers;
  }

  known({ guest, findings, abstraction, see }: KnownGuest): Known {
    const own = this.terms(this.reader.reader.entries(abstraction, "`abstraction`"), guest.world, "known guest");
    const told = new Set(this.guest.machine.variables.map((v) => v.name));
    const absent = guest.machine.variables.filter((v) => !told.has(v.name) && !own.has(v.name));
    if (absent.length > 0) {
      const names = absent.map((v) => `\`${v.name}\``).join(", ");
      this.diagnostics.report(
        "E_ABSTRACTION",
        get(this.root, "known")?.place ?? this.root.place,
        `\`known\` says nothing of ${names}, which its guest has besides; give an expression over host state for each under \`abstraction\``,
      );
    }
    const { file } = guest.definition;
    return { guest: file, digest: guest.machine.digest, findings, abstraction: own, see };
  }

  private seen(node: Yaml | undefined): ReadonlySet<string> | undefined {
    if (node === undefined) return undefined;
    const names = this.guest.machine.variables.flatMap((v) =>
      v.sort.kind === "file"
        ? [v.name, ...Array.from({ length: v.sort.count }, (_, i) => `${v.name}[${i}]`)]
        : [v.name],
    );
    const seen = this.reader.reader.list(node, "`seen`").flatMap((item) => {
      const name = this.reader.reader.scalar(item, "a variable");
      if (name === undefined) return [];
      if (!names.includes(name.text))
        this.wrong(name, `the guest has no variable or element \`${name.text}\`${didYouMean(name.text, names)}`);
      return [name.text];
    });
    return new Set(seen);
  }

  private terms(entries: readonly YamlEntry[], target: World, name: string): ReadonlyMap<string, Term> {
    return mapState(entries, this.reader, {
      target,
      name,
      code: "E_ABSTRACTION",
      elaboration: this.elaboration,
      store: undefined,
      // An element's number is for reckoning its address.
      indexWidth: this.addressWidth(),
    });
  }

  /** What is taken on trust by the way the host is executed. */
  trusted(
    regions: readonly Region[],
    limit: bigint,
    helpers: ReadonlyMap<string, Helper>,
    request: Term | undefined,
  ): readonly string[] {
    const names = regions.map((r) => `\`${r.name}\``).join(", ");
    return [
      ...[...helpers.keys()].map(
        (name) => `the host function \`${name}\` does what \`helpers\` says of it, and nothing else`,
      ),
      `the regions ${names}, the code and its data are disjoint and lie below host address 0x${limit.toString(16)}; those of the host's own are mapped`,
      ...regions.flatMap((r) =>
        r.kind === "guest" && r.register !== undefined
          ? [`\`${r.register}\` holds 0x${r.at.toString(16)} where translated code is first entered`]
          : [],
      ),
      "the host can access the guest's memory where the guest can, and nothing else changes it while a block runs",
      "the guest code of a block does not change while the block runs",
      ...(request === undefined
        ? [
            "a block is left for an interrupt (`interrupt: true`) only where one is requested: the file has no `request`",
          ]
        : []),
      "the runtime raises the traps that exits and faults stand for, with the value that an exit tells, and the guest's where it tells none",
    ];
  }

  private addressWidth(): number | undefined {
    const sort = this.memoryOf(this.host)?.sort;
    return sort?.kind === "memory" ? sort.address : undefined;
  }

  private memoryOf(machine: Machine): StateVariable | undefined {
    return machine.variables.find((v) => v.sort.kind === "memory");
  }
}

function isScalar(type: Type): type is ScalarType {
  return type.kind === "bits" || type.kind === "bool";
}

function entryOf(mapping: Yaml, name: string): Yaml {
  return (mapping.kind === "mapping" ? get(mapping, name) : undefined) ?? mapping;
}

function readsMemory(term: Term | undefined): boolean {
  return term !== undefined && [...freeVariables(term)].some((v) => v.sort.kind === "memory");
}

function rootOf(name: string): string {
  return name.split(".")[0] ?? name;
}
