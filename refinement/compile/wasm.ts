/**
 * A WebAssembly binary emitter: just the instructions that the compiler needs, assembled directly into bytes.
 * (WebAssembly Core Specification 2.0, chapter 5, "Binary Format".)
 */
import { InternalDefect } from "../errors.js";

export type ValueType = "i32" | "i64";

const TYPE_CODES = { i32: 0x7f, i64: 0x7e } as const;

/** Instructions without immediates (§5.4.1, §5.4.6). */
const PLAIN = {
  unreachable: 0x00,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  "i32.eqz": 0x45,
  "i32.eq": 0x46,
  "i32.ne": 0x47,
  "i32.lt_u": 0x49,
  "i32.gt_u": 0x4b,
  "i32.le_u": 0x4d,
  "i32.ge_u": 0x4f,
  "i64.eqz": 0x50,
  "i64.eq": 0x51,
  "i64.ne": 0x52,
  "i64.lt_s": 0x53,
  "i64.lt_u": 0x54,
  "i64.gt_u": 0x56,
  "i64.le_s": 0x57,
  "i64.le_u": 0x58,
  "i64.ge_u": 0x5a,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.mul": 0x6c,
  "i32.and": 0x71,
  "i32.or": 0x72,
  "i32.xor": 0x73,
  "i32.shl": 0x74,
  "i32.shr_u": 0x76,
  "i64.add": 0x7c,
  "i64.sub": 0x7d,
  "i64.mul": 0x7e,
  "i64.div_s": 0x7f,
  "i64.div_u": 0x80,
  "i64.rem_s": 0x81,
  "i64.rem_u": 0x82,
  "i64.and": 0x83,
  "i64.or": 0x84,
  "i64.xor": 0x85,
  "i64.shl": 0x86,
  "i64.shr_s": 0x87,
  "i64.shr_u": 0x88,
  "i32.wrap_i64": 0xa7,
  "i64.extend_i32_u": 0xad,
  "i64.extend8_s": 0xc2,
  "i64.extend16_s": 0xc3,
  "i64.extend32_s": 0xc4,
} as const;

/** Loads and stores (§5.4.6): address on the stack, constant offset as immediate. */
const MEMORY = {
  "i32.load": 0x28,
  "i64.load": 0x29,
  "i64.load8_u": 0x31,
  "i64.load16_u": 0x33,
  "i64.load32_u": 0x35,
  "i32.store": 0x36,
  "i64.store": 0x37,
  "i64.store8": 0x3c,
  "i64.store16": 0x3d,
  "i64.store32": 0x3e,
} as const;

export type PlainInstruction = keyof typeof PLAIN;
export type MemoryInstruction = keyof typeof MEMORY;

/** A target of branches: a block (its end) or a loop (its start). */
export interface Label {
  readonly depth: number;
}

export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

function unsigned(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
}

function signed32(out: number[], value: number): void {
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) {
      out.push(byte);
      return;
    }
    out.push(byte | 0x80);
  }
}

function signed64(out: number[], value: bigint): void {
  let rest = BigInt.asIntN(64, value);
  if (rest >= -0x4000_0000n && rest < 0x4000_0000n) {
    signed32(out, Number(rest));
    return;
  }
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0)) {
      out.push(byte);
      return;
    }
    out.push(byte | 0x80);
  }
}

/** One function: its index in the module, its locals and its body. */
export class FunctionBuilder {
  readonly index: number;
  readonly signature: Signature;
  private readonly bytes: number[] = [];
  private readonly locals: ValueType[] = [];
  private depth = 0;
  /** Locals free for reuse after `mark`/`release`. */
  private readonly free: Record<ValueType, number[]> = { i32: [], i64: [] };

  constructor(index: number, signature: Signature) {
    this.index = index;
    this.signature = signature;
  }

  /** A local of this type; zero, or whatever an earlier use left in it. */
  local(type: ValueType): number {
    const reused = this.free[type].pop();
    if (reused !== undefined) return reused;
    this.locals.push(type);
    return this.signature.parameters.length + this.locals.length - 1;
  }

  /** Runs `body` and frees every local that it took. */
  scoped(body: () => void): void {
    const before = { i32: [...this.free.i32], i64: [...this.free.i64] };
    const count = this.locals.length;
    body();
    for (const type of ["i32", "i64"] as const) {
      const fresh = this.locals.flatMap((t, i) =>
        i >= count && t === type ? [this.signature.parameters.length + i] : [],
      );
      this.free[type] = [...fresh.reverse(), ...before[type]];
    }
  }

  emit(...instructions: readonly PlainInstruction[]): void {
    for (const instruction of instructions) this.bytes.push(PLAIN[instruction]);
  }

  /** `offset` is added to the address on the stack, as an unsigned 33-bit sum that never wraps. */
  memory(instruction: MemoryInstruction, offset = 0): void {
    this.bytes.push(MEMORY[instruction], 0);
    unsigned(this.bytes, offset);
  }

  i32(value: number): void {
    this.bytes.push(0x41);
    signed32(this.bytes, value);
  }

  i64(value: bigint): void {
    this.bytes.push(0x42);
    signed64(this.bytes, value);
  }

  get(local: number): void {
    this.bytes.push(0x20);
    unsigned(this.bytes, local);
  }

  set(local: number): void {
    this.bytes.push(0x21);
    unsigned(this.bytes, local);
  }

  tee(local: number): void {
    this.bytes.push(0x22);
    unsigned(this.bytes, local);
  }

  call(callee: { readonly index: number }): void {
    this.bytes.push(0x10);
    unsigned(this.bytes, callee.index);
  }

  /** Calls the function that the index on the stack (above the arguments) has in the module's table. */
  callIndirect(type: number): void {
    this.bytes.push(0x11);
    unsigned(this.bytes, type);
    this.bytes.push(0);
  }

  /** Copies within linear memory: destination, source and length in bytes are on the stack. */
  memoryCopy(): void {
    this.bytes.push(0xfc, 0x0a, 0x00, 0x00);
  }

  /** Fills linear memory: destination, byte and length are on the stack. */
  memoryFill(): void {
    this.bytes.push(0xfc, 0x0b, 0x00);
  }

  block(body: (label: Label) => void, result?: ValueType): void {
    this.structured(0x02, body, result);
  }

  loop(body: (label: Label) => void, result?: ValueType): void {
    this.structured(0x03, body, result);
  }

  /** The condition is on the stack. */
  if(then: () => void, otherwise?: () => void, result?: ValueType): void {
    this.structured(
      0x04,
      () => {
        then();
        if (otherwise !== undefined) {
          this.bytes.push(0x05);
          otherwise();
        }
      },
      result,
    );
  }

  br(label: Label): void {
    this.bytes.push(0x0c);
    unsigned(this.bytes, this.depth - label.depth);
  }

  brIf(label: Label): void {
    this.bytes.push(0x0d);
    unsigned(this.bytes, this.depth - label.depth);
  }

  /** Branches to the label that the index on the stack selects, or to `otherwise`. */
  brTable(labels: readonly Label[], otherwise: Label): void {
    this.bytes.push(0x0e);
    unsigned(this.bytes, labels.length);
    for (const label of labels) unsigned(this.bytes, this.depth - label.depth);
    unsigned(this.bytes, this.depth - otherwise.depth);
  }

  /** The body's encoding (§5.5.13): size, locals, expression. */
  encode(out: number[]): void {
    if (this.depth !== 0) throw new InternalDefect("a WebAssembly block is left open");
    const head: number[] = [];
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last !== undefined && last.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    unsigned(head, runs.length);
    for (const run of runs) {
      unsigned(head, run.count);
      head.push(TYPE_CODES[run.type]);
    }
    unsigned(out, head.length + this.bytes.length + 1);
    for (const byte of head) out.push(byte);
    for (const byte of this.bytes) out.push(byte);
    out.push(0x0b);
  }

  private structured(opcode: number, body: (label: Label) => void, result: ValueType | undefined): void {
    this.bytes.push(opcode, result === undefined ? 0x40 : TYPE_CODES[result]);
    this.depth++;
    const label = { depth: this.depth };
    body(label);
    this.depth--;
    this.bytes.push(0x0b);
  }
}

function section(out: number[], id: number, content: readonly number[]): void {
  out.push(id);
  unsigned(out, content.length);
  for (const byte of content) out.push(byte);
}

function name(out: number[], text: string): void {
  const bytes = [...text].map((c) => c.charCodeAt(0));
  unsigned(out, bytes.length);
  out.push(...bytes);
}

/**
 * A module that imports one memory, `env.memory`, one table of functions, `env.table`, if it is used, and functions from
 * `env`. Import functions before making any.
 */
export class ModuleBuilder {
  private readonly types: Signature[] = [];
  private readonly imports: { readonly name: string; readonly type: number }[] = [];
  private readonly functions: FunctionBuilder[] = [];
  private readonly exports: { readonly name: string; readonly index: number }[] = [];
  private usesTable = false;

  importFunction(
    importName: string,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
  ): { readonly index: number } {
    if (this.functions.length > 0) throw new InternalDefect("imports come before functions");
    this.imports.push({ name: importName, type: this.type({ parameters, results }) });
    return { index: this.imports.length - 1 };
  }

  function(parameters: readonly ValueType[], results: readonly ValueType[], exportName?: string): FunctionBuilder {
    const builder = new FunctionBuilder(this.imports.length + this.functions.length, { parameters, results });
    this.functions.push(builder);
    if (exportName !== undefined) this.exports.push({ name: exportName, index: builder.index });
    return builder;
  }

  /** The number of a signature, for `callIndirect`, which uses the table. */
  indirect(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    this.usesTable = true;
    return this.type({ parameters, results });
  }

  /** The binary; `pages` is the least size of the imported memory, in 64 KiB. */
  encode(pages: number): Uint8Array {
    const functionTypes = this.functions.map((f) => this.type(f.signature));
    const out: number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

    const types: number[] = [];
    unsigned(types, this.types.length);
    for (const type of this.types) {
      types.push(0x60);
      unsigned(types, type.parameters.length);
      for (const t of type.parameters) types.push(TYPE_CODES[t]);
      unsigned(types, type.results.length);
      for (const t of type.results) types.push(TYPE_CODES[t]);
    }
    section(out, 1, types);

    const imports: number[] = [];
    unsigned(imports, this.imports.length + (this.usesTable ? 2 : 1));
    name(imports, "env");
    name(imports, "memory");
    imports.push(0x02, 0x00);
    unsigned(imports, pages);
    if (this.usesTable) {
      name(imports, "env");
      name(imports, "table");
      imports.push(0x01, 0x70, 0x00, 0x00);
    }
    for (const imported of this.imports) {
      name(imports, "env");
      name(imports, imported.name);
      imports.push(0x00);
      unsigned(imports, imported.type);
    }
    section(out, 2, imports);

    const functions: number[] = [];
    unsigned(functions, functionTypes.length);
    for (const type of functionTypes) unsigned(functions, type);
    section(out, 3, functions);

    const exports: number[] = [];
    unsigned(exports, this.exports.length);
    for (const exported of this.exports) {
      name(exports, exported.name);
      exports.push(0x00);
      unsigned(exports, exported.index);
    }
    section(out, 7, exports);

    const code: number[] = [];
    unsigned(code, this.functions.length);
    for (const f of this.functions) f.encode(code);
    section(out, 10, code);
    return Uint8Array.from(out);
  }

  private type(signature: Signature): number {
    const key = JSON.stringify(signature);
    const known = this.types.findIndex((t) => JSON.stringify(t) === key);
    if (known >= 0) return known;
    this.types.push({ parameters: [...signature.parameters], results: [...signature.results] });
    return this.types.length - 1;
  }
}
