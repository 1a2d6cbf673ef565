/**
 * A compiled module at work: its linear memory, its byte memories, and the JavaScript that its code calls.
 */
import { EnvironmentFailure, InternalDefect } from "../errors.js";
import { hashedApply } from "../terms/evaluate.js";
import { operate } from "../terms/operators.js";
import type { Term } from "../terms/term.js";
import { FileValue, MemoryValue, type Value } from "../terms/value.js";
import { Arena } from "./arena.js";
import type { FilePlace, MemoryPlace, Place, ScalarPlace } from "./layout.js";
import { PagedMemory } from "./paged.js";
import { type Support, termLimbs } from "./support.js";

/** A module whose code is complete: it can be instantiated any number of times. */
export class CompiledModule {
  private readonly module: WebAssembly.Module;
  private readonly fixed: number;
  private readonly places: readonly MemoryPlace[];
  private readonly externals: readonly Term[];
  private readonly scratch: number;
  /** Size of the binary in bytes. */
  readonly size: number;

  constructor(support: Support) {
    this.fixed = support.layout.end;
    this.places = support.layout.memoryPlaces;
    this.externals = support.externals;
    this.scratch = support.scratch;
    const bytes = support.module.encode(Arena.blocks(this.fixed));
    this.size = bytes.length;
    try {
      this.module = new WebAssembly.Module(bytes);
    } catch (error) {
      throw new InternalDefect("the compiler made an invalid WebAssembly module", { cause: error });
    }
  }

  instantiate(): Instance {
    return new Instance(this.module, this.fixed, this.places, this.externals, this.scratch);
  }

  /** A further module over the memory of an instance at work. */
  link(instance: Instance, functions: Readonly<Record<string, WebAssembly.ExportedFunction>>): WebAssembly.Instance {
    return new WebAssembly.Instance(this.module, { env: { ...instance.imports(this.externals), ...functions } });
  }
}

export class Instance {
  readonly arena: Arena;
  readonly memories: readonly PagedMemory[];
  /** Functions that code calls by number: regions. */
  readonly table = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
  /** Told when code of regions may have been written. */
  codeWritten: ((address: bigint, bytes: number) => void) | undefined;
  private readonly instance: WebAssembly.Instance;
  readonly scratch: number;

  constructor(
    module: WebAssembly.Module,
    fixed: number,
    places: readonly MemoryPlace[],
    externals: readonly Term[],
    scratch: number,
  ) {
    try {
      this.arena = new Arena(fixed);
    } catch (error) {
      throw new EnvironmentFailure("WebAssembly memory", "cannot be allocated", { cause: error });
    }
    this.scratch = scratch;
    this.memories = places.map((place) => new PagedMemory(this.arena, place));
    this.instance = new WebAssembly.Instance(module, { env: this.imports(externals) });
  }

  /** What generated code imports. */
  imports(
    externals: readonly Term[],
  ): Record<string, WebAssembly.ImportedFunction | WebAssembly.Memory | WebAssembly.Table> {
    return {
      memory: this.arena.memory,
      table: this.table,
      load: (memory: number, address: bigint, bytes: number) => this.memoryNumber(memory).read(address, bytes),
      store: (memory: number, address: bigint, bytes: number, value: bigint) => {
        this.memoryNumber(memory).write(address, bytes, value);
        return undefined;
      },
      accessible: (memory: number, access: number, address: bigint, bytes: number) =>
        this.memoryNumber(memory).accessible(PagedMemory.accessName(access), address, bytes) ? 1 : 0,
      markCode: (memory: number, address: bigint, bytes: number) => {
        this.memoryNumber(memory).markCode(address, bytes);
        return undefined;
      },
      codeWritten: (address: bigint, bytes: number) => {
        this.codeWritten?.(address, bytes);
        return undefined;
      },
      external: (number: number) => {
        this.external(externals, number);
        return undefined;
      },
    };
  }

  /** An exported function. */
  function(name: string): WebAssembly.ExportedFunction {
    const f = this.instance.exports[name];
    if (f === undefined) throw new InternalDefect(`the module exports no ${name}`);
    return f;
  }

  memory(place: MemoryPlace): PagedMemory {
    return this.memoryNumber(place.number);
  }

  private memoryNumber(number: number): PagedMemory {
    const memory = this.memories[number];
    if (memory === undefined) throw new InternalDefect(`there is no memory ${number}`);
    return memory;
  }

  private external(externals: readonly Term[], number: number): void {
    const term = externals[number];
    if (term === undefined) throw new InternalDefect(`there is no external term ${number}`);
    let at = this.scratch;
    const args = term.args.map((arg) => {
      const limbs = termLimbs(arg);
      const value = this.readLimbs(at, limbs);
      at += 8 * limbs;
      return value;
    });
    this.writeLimbs(this.scratch, termLimbs(term), term.op === "apply" ? hashedApply(term, args) : operate(term, args));
  }

  readLimbs(address: number, limbs: number): bigint {
    const view = this.arena.view();
    if (limbs === 1) return view.getBigUint64(address, true);
    let value = 0n;
    for (let i = limbs - 1; i >= 0; i--) value = (value << 64n) | view.getBigUint64(address + 8 * i, true);
    return value;
  }

  writeLimbs(address: number, limbs: number, value: bigint): void {
    const view = this.arena.view();
    for (let i = 0; i < limbs; i++)
      view.setBigUint64(address + 8 * i, BigInt.asUintN(64, value >> BigInt(64 * i)), true);
  }

  readScalar(place: ScalarPlace): bigint {
    return this.readLimbs(place.address, place.limbs);
  }

  readElement(place: FilePlace, index: number): bigint {
    return this.readLimbs(place.address + 8 * place.limbs * index, place.limbs);
  }

  writeElement(place: FilePlace, index: number, value: bigint): void {
    this.writeLimbs(place.address + 8 * place.limbs * index, place.limbs, value);
  }

  read(place: Place): Value {
    switch (place.kind) {
      case "scalar":
        return this.readScalar(place);
      case "file":
        return new FileValue(Array.from({ length: place.count }, (_, i) => this.readElement(place, i)));
      case "memory":
        return this.memory(place).value();
    }
  }

  write(place: Place, value: Value): void {
    switch (place.kind) {
      case "scalar":
        if (typeof value !== "bigint") throw new InternalDefect("a scalar is given a file or a memory");
        this.writeLimbs(place.address, place.limbs, value);
        return;
      case "file":
        if (!(value instanceof FileValue)) throw new InternalDefect("a file is given something else");
        for (let i = 0; i < place.count; i++) this.writeElement(place, i, value.elements[i] ?? 0n);
        return;
      case "memory":
        if (!(value instanceof MemoryValue)) throw new InternalDefect("a memory is given something else");
        this.memory(place).load(value);
    }
  }
}
