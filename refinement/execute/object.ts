/**
 * ELF object files (System V ABI, "Sections", "Relocation"): sections, symbols, relocations of eBPF objects, little-endian,
 * 64 bits, as `clang -target bpf -c` makes them. Everything is checked before it is used.
 */
import { EM_BPF, ElfReader, elfError, identify, machineName, text } from "./elf.js";

export interface Section {
  readonly name: string;
  readonly kind: "progbits" | "nobits" | "other";
  readonly allocated: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  readonly size: bigint;
  /** Empty where the section has no bytes in the file. */
  readonly data: Uint8Array;
  readonly relocations: readonly Relocation[];
}

export interface Relocation {
  readonly offset: bigint;
  readonly type: number;
  readonly symbol: ElfSymbol;
}

export interface ElfSymbol {
  readonly name: string;
  /** Offset in its section. */
  readonly value: bigint;
  readonly isFunction: boolean;
  readonly isGlobal: boolean;
  /** Index of its section; undefined for a symbol that this file does not define. */
  readonly section: number | undefined;
}

export interface ElfObject {
  readonly file: string;
  readonly sections: readonly Section[];
  readonly symbols: readonly ElfSymbol[];
}

const TYPE = { relocatable: 1n } as const;
const SHT = { progbits: 1, symbols: 2, nobits: 8, relocations: 9 } as const;
const SHF = { write: 1n, alloc: 2n, execute: 4n } as const;
const STT = { function: 2 } as const;
const RESERVED_SECTIONS = 0xff00;
const SIZES = { section: 64, symbol: 24, relocation: 16 } as const;
const LARGEST = 1n << 28n;

interface Header {
  readonly name: number;
  readonly type: number;
  readonly flags: bigint;
  readonly offset: bigint;
  readonly size: bigint;
  readonly link: number;
  readonly info: number;
}

/** Reads an eBPF object. `file` is its name in error messages. Throws `UserError` for whatever is not one. */
export function readObject(bytes: Uint8Array, file: string): ElfObject {
  const reader = new ElfReader(bytes, file);
  const number = (offset: number, size: 1 | 2 | 4 | 8): bigint => reader.number(offset, size, "the ELF header");
  const { class: bits, isLittleEndian, machine } = identify(reader, "an object file");
  if (machine !== EM_BPF)
    throw elfError(file, `for ${machineName(machine)}, not eBPF; compile with clang -target bpf -c`);
  if (!isLittleEndian) throw elfError(file, "big-endian; compile with clang -target bpfel -c");
  if (bits !== 64)
    throw elfError(file, `${bits} bits; eBPF objects are of the 64-bit class: compile with clang -target bpf -c`);
  if (number(16, 2) !== TYPE.relocatable)
    throw elfError(file, `file type ${number(16, 2)}; eBPF programs are object files (type 1): compile with -c`);

  const headers = readHeaders(reader, Number(number(60, 2)), number(40, 8), Number(number(58, 2)));
  const contents = (h: Header, what: string): Uint8Array =>
    h.type === SHT.nobits ? new Uint8Array() : reader.slice(h.offset, h.size, what);
  const nameTable = headers[Number(number(62, 2))];
  const names = nameTable === undefined ? new Uint8Array() : contents(nameTable, "the section names");
  const nameOf = (h: Header): string => text(names, h.name);

  const table = headers.findIndex((h) => h.type === SHT.symbols);
  const symbols = readSymbols(reader, headers, table, contents);
  const sections = headers.map((h, index): Section => {
    const name = nameOf(h);
    if (h.size > LARGEST) throw elfError(file, `section ${name} has ${h.size} bytes: the file is damaged`);
    return {
      name,
      kind: h.type === SHT.progbits ? "progbits" : h.type === SHT.nobits ? "nobits" : "other",
      allocated: (h.flags & SHF.alloc) !== 0n,
      writable: (h.flags & SHF.write) !== 0n,
      executable: (h.flags & SHF.execute) !== 0n,
      size: h.size,
      data: h.type === SHT.progbits ? contents(h, `section ${name}`) : new Uint8Array(),
      relocations: headers
        .filter((r) => r.type === SHT.relocations && r.info === index && r.link === table)
        .flatMap((r) => readRelocations(new ElfReader(contents(r, `the relocations of ${name}`), file), symbols)),
    };
  });
  return { file, sections, symbols };
}

function readHeaders(reader: ElfReader, count: number, at: bigint, size: number): readonly Header[] {
  if (count === 0) return [];
  if (size !== SIZES.section)
    throw elfError(reader.file, `section headers of ${size} bytes, ${SIZES.section} expected: the file is damaged`);
  const table = new ElfReader(reader.slice(at, BigInt(count * size), "the section header table"), reader.file);
  return Array.from({ length: count }, (_, i) => {
    const of = (offset: number, bytes: 4 | 8): bigint => table.number(i * size + offset, bytes, `section header ${i}`);
    return {
      name: Number(of(0, 4)),
      type: Number(of(4, 4)),
      flags: of(8, 8),
      offset: of(24, 8),
      size: of(32, 8),
      link: Number(of(40, 4)),
      info: Number(of(44, 4)),
    };
  });
}

function readSymbols(
  reader: ElfReader,
  headers: readonly Header[],
  table: number,
  contents: (h: Header, what: string) => Uint8Array,
): readonly ElfSymbol[] {
  const header = headers[table];
  if (header === undefined) return [];
  const strings = headers[header.link];
  const names = strings === undefined ? new Uint8Array() : contents(strings, "the symbol names");
  const symbols = new ElfReader(contents(header, "the symbol table"), reader.file);
  return Array.from({ length: Math.floor(symbols.bytes.length / SIZES.symbol) }, (_, i) => {
    const of = (offset: number, size: 1 | 2 | 4 | 8): bigint =>
      symbols.number(i * SIZES.symbol + offset, size, `symbol ${i}`);
    const section = Number(of(6, 2));
    const info = Number(of(4, 1));
    return {
      name: text(names, Number(of(0, 4))),
      value: of(8, 8),
      isFunction: (info & 15) === STT.function,
      isGlobal: info >> 4 !== 0,
      section: section === 0 || section >= RESERVED_SECTIONS || section >= headers.length ? undefined : section,
    };
  });
}

function readRelocations(reader: ElfReader, symbols: readonly ElfSymbol[]): readonly Relocation[] {
  return Array.from({ length: Math.floor(reader.bytes.length / SIZES.relocation) }, (_, i) => {
    const at = i * SIZES.relocation;
    const index = Number(reader.number(at + 12, 4, `relocation ${i}`));
    const symbol = symbols[index];
    if (symbol === undefined)
      throw elfError(reader.file, `relocation ${i} names symbol ${index}, which does not exist: the file is damaged`);
    return {
      offset: reader.number(at, 8, `relocation ${i}`),
      type: Number(reader.number(at + 8, 4, `relocation ${i}`)),
      symbol,
    };
  });
}
