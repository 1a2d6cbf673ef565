/**
 * The part of the WebAssembly JavaScript API that the compiler uses, with exports typed as what the emitter makes:
 * functions over i32 (number) and i64 (bigint). Declared here because neither the ES2023 library nor Node's types have it.
 */
declare namespace WebAssembly {
  type Scalar = number | bigint;
  type ImportedFunction = (...args: never[]) => Scalar | undefined;
  type ExportedFunction = (...args: Scalar[]) => Scalar | undefined;

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    /** Grows by pages of 64 KiB; returns the previous size in pages. Throws a RangeError when there is no room. */
    grow(pages: number): number;
  }

  class Table {
    constructor(descriptor: { element: "anyfunc"; initial: number; maximum?: number });
    readonly length: number;
    set(index: number, value: ExportedFunction): void;
    grow(by: number): number;
  }

  class Module {
    constructor(bytes: Uint8Array);
  }

  class Instance {
    constructor(
      module: Module,
      imports: Record<string, Record<string, ImportedFunction | ExportedFunction | Memory | Table>>,
    );
    readonly exports: Readonly<Record<string, ExportedFunction | undefined>>;
  }

  class RuntimeError extends Error {}
}
