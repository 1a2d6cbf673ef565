/**
 * Defined functions (terms/definitions.ts) as WebAssembly functions that remember their values: a direct-mapped table from
 * arguments to value for each. What a value depends on beside its arguments is the state that the definition names; when
 * that changes everything is forgotten. A definition reads memory at few places, as a page walk does; the pages it has read
 * are marked as pages of code are, so that a store to them is told, and one between the lowest and the highest address read
 * forgets.
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
import type { Callee, Support } from "./support.js";
import type { FunctionBuilder, ValueType } from "./wasm.js";

/** Entries of a table: the arguments side by side with a one above them (i64, 0 where empty), the value (i64). */
const ENTRIES_BITS = 10;
const ENTRY_BITS = 4;

export class DefinedFunctions {
  private readonly support: Support;
  private readonly lowering: Lowering;
  private readonly state: Bindings;
  private readonly functions = new Map<string, FunctionBuilder>();
  private readonly tables: number[] = [];
  /** Lowest address read (i64), and one past the highest. */
  private readonly bounds: number;
  private readonly forgetting: FunctionBuilder;
  /** Names of the state variables that remembered values depend on, memories aside. */
  readonly reads: ReadonlySet<string>;

  /** `state` says where the state is; `roots` are all terms that code is generated from. `prefix` is put before `forget`. */
  constructor(support: Support, lowering: Lowering, state: Bindings, roots: readonly Term[], prefix: string) {
    this.support = support;
    this.lowering = lowering;
    this.state = state;
    this.bounds = support.layout.allocate(16);
    this.forgetting = support.module.function([], [], `${prefix}forget`);
    this.reads = readsOf(roots);
  }

  /** Forgets all values. */
  get forget(): Callee {
    return this.forgetting;
  }

  callee(name: string): Callee {
    const known = this.functions.get(name);
    if (known !== undefined) return known;
    const definition = definitionOf(name);
    if (definition === undefined) throw new InternalDefect(`${name} is not defined`);
    const inputs = definition.parameters.slice(0, definition.inputs);
    const types = inputs.map((p): ValueType => (p.sort.kind === "bool" ? "i32" : "i64"));
    const body = this.support.module.function(types, ["i64"]);
    const width = inputs.reduce((sum, p) => sum + scalarWidth(p), 0);
    const code = width < 64 ? this.support.module.function(types, ["i64"]) : body;
    this.functions.set(name, code);
    if (code !== body) this.emitRemembering(code, body, inputs);
    this.emitBody(body, definition);
    return code;
  }

  private emitRemembering(code: FunctionBuilder, body: FunctionBuilder, inputs: readonly Term[]): void {
    const table = this.support.layout.allocate(2 ** (ENTRIES_BITS + ENTRY_BITS), 16);
    this.tables.push(table);
    const tag = code.local("i64");
    const entry = code.local("i32");
    const value = code.local("i64");
    code.i64(1n);
    inputs.forEach((p, i) => {
      code.i64(BigInt(scalarWidth(p)));
      code.emit("i64.shl");
      code.get(i);
      if (p.sort.kind === "bool") code.emit("i64.extend_i32_u");
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
    code.if(() => {
      code.get(entry);
      code.memory("i64.load", table + 8);
      code.emit("return");
    });
    for (const i of inputs.keys()) code.get(i);
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

  /** Forgets if bytes from the i64 local `address` up have been read, `bytes` (i32 local) being written. */
  emitForgetWritten(code: FunctionBuilder, address: number, bytes: number): void {
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
    code.if(() => code.call(this.forget));
  }

  /** Once all code is generated: the tables are known. */
  finish(): void {
    const code = this.forgetting;
    for (const table of this.tables) {
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
  }
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
