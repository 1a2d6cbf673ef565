/**
 * Defined functions (terms/definitions.ts) as WebAssembly functions that remember their values: a direct-mapped table from
 * arguments to value for each. What a value depends on beside its arguments is the state that the definition names; when
 * that changes everything is forgotten, and a new generation begins. A definition reads memory at few places, as a page walk
 * does; the pages it has read are marked as pages of code are, so that a store to them is told, and one between the lowest
 * and the highest address read forgets.
 */
import { InternalDefect } from "../errors.js";
import { type FunctionDefinition, definitionOf } from "../terms/definitions.js";
import type { Term } from "../terms/term.js";
import type { Probe } from "./access.js";
import type { Binding, Bindings } from "./binding.js";
import { emitScalars } from "./effects.js";
import { CODE, type MemoryPlace } from "./layout.js";
import type { Lowering } from "./lower.js";
import { scalarWidth } from "./scalars.js";
import { Unsupported } from "./unsupported.js";
import type { Callee, Definer, Support } from "./support.js";
import type { FunctionBuilder, ValueType } from "./wasm.js";

/** Entries of a table: the arguments side by side with a one above them (i64, 0 where empty), the value (i64). */
const ENTRIES_BITS = 10;
const ENTRY_BITS = 4;

/** A defined function for modules that share the memory: they look into its table before they call it. */
export interface DefinedFunction {
  /** What the module that has it exports it as. */
  readonly exported: string;
  readonly parameters: readonly { readonly type: ValueType; readonly width: number }[];
  /** Address of the table of remembered values; undefined where none are remembered. */
  readonly table: number | undefined;
}

/** Defined functions of another module that shares the memory. */
export class ImportedFunctions implements Definer {
  private readonly functions: ReadonlyMap<string, { readonly shared: DefinedFunction; readonly callee: Callee }>;

  /** To be made before any function of the module. */
  constructor(support: Support, functions: ReadonlyMap<string, DefinedFunction>) {
    this.functions = new Map(
      [...functions].map(([name, shared]) => {
        const types = shared.parameters.map((p) => p.type);
        return [name, { shared, callee: support.module.importFunction(shared.exported, types, ["i64"]) }];
      }),
    );
  }

  emitCall(code: FunctionBuilder, name: string): void {
    const found = this.functions.get(name);
    if (found === undefined) throw new Unsupported("apply", `${name} is not at hand`);
    const { shared, callee } = found;
    const { table } = shared;
    if (table === undefined) {
      code.call(callee);
      return;
    }
    const locals = shared.parameters.map((p) => code.local(p.type));
    for (const local of [...locals].reverse()) code.set(local);
    const { entry } = emitLookUp(code, shared.parameters, locals, table);
    code.if(
      () => {
        code.get(entry);
        code.memory("i64.load", table + 8);
      },
      () => {
        for (const local of locals) code.get(local);
        code.call(callee);
      },
      "i64",
    );
  }
}

/** Pushes whether the table remembers the value for the arguments in the locals; gives locals with its entry and the tag. */
function emitLookUp(
  code: FunctionBuilder,
  parameters: DefinedFunction["parameters"],
  locals: readonly number[],
  table: number,
): { readonly entry: number; readonly tag: number } {
  const tag = code.local("i64");
  const entry = code.local("i32");
  code.i64(1n);
  parameters.forEach((p, i) => {
    code.i64(BigInt(p.width));
    code.emit("i64.shl");
    code.get(locals[i] ?? 0);
    if (p.type === "i32") code.emit("i64.extend_i32_u");
    code.emit("i64.or");
  });
  code.tee(tag);
  code.i64(0x9e3779b97f4a7c15n);
  code.emit("i64.mul");
  code.i64(BigInt(64 - ENTRIES_BITS));
  code.emit("i64.shr_u", "i32.wrap_i64");
  code.i32(ENTRY_BITS);
  code.emit("i32.shl");
  code.tee(entry);
  code.memory("i64.load", table);
  code.get(tag);
  code.emit("i64.eq");
  return { entry, tag };
}

export class DefinedFunctions implements Definer {
  private readonly support: Support;
  private readonly lowering: Lowering;
  private readonly state: Bindings;
  private readonly prefix: string;
  private readonly functions = new Map<string, FunctionBuilder>();
  private readonly sharable = new Map<string, DefinedFunction>();
  /** Lowest address read (i64), and one past the highest. */
  private readonly bounds: number;
  private readonly forgetting: FunctionBuilder;
  /** Address of the number (i64) of times that everything was forgotten. */
  readonly generation: number;
  /** Names of the state variables that remembered values depend on, memories aside. */
  readonly reads: ReadonlySet<string>;

  /** `state` says where the state is; `roots` are all terms that code is generated from. `prefix` is put before `forget`. */
  constructor(support: Support, lowering: Lowering, state: Bindings, roots: readonly Term[], prefix: string) {
    this.support = support;
    this.lowering = lowering;
    this.state = state;
    this.prefix = prefix;
    this.bounds = support.layout.allocate(16);
    this.generation = support.layout.allocate(8);
    this.forgetting = support.module.function([], [], `${prefix}forget`);
    this.reads = readsOf(roots);
  }

  /** Forgets all values. */
  get forget(): Callee {
    return this.forgetting;
  }

  /** By name, once all code is generated. */
  get shared(): ReadonlyMap<string, DefinedFunction> {
    return this.sharable;
  }

  emitCall(code: FunctionBuilder, name: string): void {
    code.call(this.callee(name));
  }

  private callee(name: string): Callee {
    const known = this.functions.get(name);
    if (known !== undefined) return known;
    const definition = definitionOf(name);
    if (definition === undefined) throw new InternalDefect(`${name} is not defined`);
    const inputs = definition.parameters.slice(0, definition.inputs);
    const parameters = inputs.map((p) => ({
      type: p.sort.kind === "bool" ? ("i32" as const) : ("i64" as const),
      width: scalarWidth(p),
    }));
    const types = parameters.map((p): ValueType => p.type);
    const exported = `${this.prefix}defined ${name}`;
    const width = parameters.reduce((sum, p) => sum + p.width, 0);
    const remembers = width < 64;
    const body = this.support.module.function(types, ["i64"], remembers ? undefined : exported);
    const code = remembers ? this.support.module.function(types, ["i64"], exported) : body;
    this.functions.set(name, code);
    const table = remembers ? this.support.layout.allocate(2 ** (ENTRIES_BITS + ENTRY_BITS), 16) : undefined;
    if (table !== undefined) emitRemembering(code, body, parameters, table);
    this.sharable.set(name, { exported, parameters, table });
    this.emitBody(body, definition);
    return code;
  }

  private emitBody(code: FunctionBuilder, { parameters, inputs, body }: FunctionDefinition): void {
    const locals = new Map(
      parameters.slice(0, inputs).map((p, i): [Term, Binding] => [p, { kind: "local", local: i }]),
    );
    emitScalars(
      code,
      this.support,
      this.lowering,
      (term) => locals.get(term) ?? this.state(term),
      [body],
      (...read) => this.emitRead(code, ...read),
    );
    if (body.sort.kind === "bool") code.emit("i64.extend_i32_u");
  }

  /** A definition reads `bytes` bytes here: stores to them must be told. */
  private emitRead(code: FunctionBuilder, place: MemoryPlace, probe: Probe, address: number, bytes: number): void {
    code.get(probe.pointer);
    code.emit("i32.eqz", "i32.eqz");
    code.get(probe.flags);
    code.i32(Math.log2(CODE));
    code.emit("i32.shr_u", "i32.and", "i32.eqz");
    code.if(() => {
      code.i32(place.number);
      code.get(address);
      code.i32(bytes);
      code.call(this.support.imports.markCode);
    });
    this.widen(code, this.bounds, "i64.lt_u", () => code.get(address));
    this.widen(code, this.bounds + 8, "i64.gt_u", () => {
      code.get(address);
      code.i64(BigInt(bytes));
      code.emit("i64.add");
    });
  }

  private widen(code: FunctionBuilder, cell: number, further: "i64.lt_u" | "i64.gt_u", push: () => void): void {
    push();
    code.i32(0);
    code.memory("i64.load", cell);
    code.emit(further);
    code.if(() => {
      code.i32(0);
      push();
      code.memory("i64.store", cell);
    });
  }

  /** Forgets if bytes from the i64 local `address` up have been read, `bytes` (i32 local) being written; then does `forgotten`. */
  emitForgetWritten(code: FunctionBuilder, address: number, bytes: number, forgotten: () => void): void {
    code.get(address);
    code.get(bytes);
    code.emit("i64.extend_i32_u", "i64.add");
    code.i32(0);
    code.memory("i64.load", this.bounds);
    code.emit("i64.gt_u");
    code.get(address);
    code.i32(0);
    code.memory("i64.load", this.bounds + 8);
    code.emit("i64.lt_u", "i32.and");
    code.if(() => {
      code.call(this.forget);
      forgotten();
    });
  }

  /** Once all code is generated: the tables are known. */
  finish(): void {
    const code = this.forgetting;
    for (const { table } of this.sharable.values()) {
      if (table === undefined) continue;
      code.i32(table);
      code.i32(0);
      code.i32(2 ** (ENTRIES_BITS + ENTRY_BITS));
      code.memoryFill();
    }
    code.i32(0);
    code.i64(-1n);
    code.memory("i64.store", this.bounds);
    code.i32(0);
    code.i64(0n);
    code.memory("i64.store", this.bounds + 8);
    code.i32(0);
    code.i32(0);
    code.memory("i64.load", this.generation);
    code.i64(1n);
    code.emit("i64.add");
    code.memory("i64.store", this.generation);
  }
}

/** `code` looks into the table, and asks `body` for what is not there. */
function emitRemembering(
  code: FunctionBuilder,
  body: FunctionBuilder,
  parameters: DefinedFunction["parameters"],
  table: number,
): void {
  const locals = [...parameters.keys()];
  const { entry, tag } = emitLookUp(code, parameters, locals, table);
  code.if(() => {
    code.get(entry);
    code.memory("i64.load", table + 8);
    code.emit("return");
  });
  const value = code.local("i64");
  for (const local of locals) code.get(local);
  code.call(body);
  code.set(value);
  code.get(entry);
  code.get(tag);
  code.memory("i64.store", table);
  code.get(entry);
  code.get(value);
  code.memory("i64.store", table + 8);
  code.get(value);
}

/** The state variables that definitions in these terms, and in those definitions, name. */
function readsOf(roots: readonly Term[]): ReadonlySet<string> {
  const names = new Set<string>();
  const seen = new Set<Term>(roots);
  for (const term of seen) {
    for (const arg of term.args) seen.add(arg);
    const definition = term.op === "apply" ? definitionOf(term.name) : undefined;
    if (definition === undefined) continue;
    seen.add(definition.body);
    for (const p of definition.parameters.slice(definition.inputs)) if (p.sort.kind !== "memory") names.add(p.name);
  }
  return names;
}
