/**
 * ELF executables (System V ABI, "Object Files" and "Program Loading"): headers, loadable segments, symbols. Little-endian,
 * 32 and 64 bits. Everything is checked before it is used: a damaged file is a user's error, never a crash.
 */
import { UserError } from "../errors.js";

export interface Segment {
  readonly address: bigint;
  /** The bytes in the file; the rest up to `size` is zero. */
  readonly data: Uint8Array;
  /** Bytes in memory. */
  readonly size: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

export interface Elf {
  readonly class: 32 | 64;
  /** `e_machine`: 243 is RISC-V. */
  readonly machine: number;
  /** `e_flags`, which mean what the machine's ABI says. */
  readonly flags: number;
  readonly entry: bigint;
  readonly segments: readonly Segment[];
  /** Where the program headers are in memory, if a segment holds them: the bytes of one, and how many there are. */
  readonly headers: { readonly address: bigint; readonly size: number; readonly count: number } | undefined;
  /** Addresses by name; empty in a stripped file. */
  readonly symbols: ReadonlyMap<string, bigint>;
}

export const EM_RISCV = 243;
export const EM_X86_64 = 62;
export const EM_BPF = 247;
/** `e_flags` of RISC-V: the program contains 16-bit instructions. */
export const EF_RISCV_RVC = 1;
/** … and: it passes floating-point values in registers. */
export const EF_RISCV_FLOAT_ABI = 6;

const MACHINES: Readonly<Record<number, string>> = {
  2: "SPARC",
  3: "x86 (32 bits)",
  8: "MIPS",
  20: "PowerPC (32 bits)",
  21: "PowerPC",
  22: "IBM Z",
  40: "Arm (32 bits)",
  62: "x86-64",
  183: "AArch64",
  243: "RISC-V",
  247: "eBPF",
  258: "LoongArch",
};

/** A name for `e_machine`. */
export function machineName(machine: number): string {
  return MACHINES[machine] ?? `machine number ${machine}`;
}

export function elfError(file: string, message: string): UserError {
  return UserError.from([{ code: "E_ELF", place: { file, line: 1, column: 1 }, message }]);
}

const PT_LOAD = 1;
const PT_INTERP = 3;
const SHT_SYMTAB = 2;
const MOST_SEGMENTS = 1024;

/** Reads fields, refusing to read past the end. */
export class ElfReader {
  readonly bytes: Uint8Array;
  readonly file: string;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes;
    this.file = file;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** `what` names the thing for the error. */
  slice(offset: bigint, size: bigint, what: string): Uint8Array {
    const end = offset + size;
    if (end > BigInt(this.bytes.length)) {
      throw elfError(
        this.file,
        `truncated: ${what} ends at byte ${end}, the file has ${this.bytes.length}; copy or build it again`,
      );
    }
    return this.bytes.subarray(Number(offset), Number(end));
  }

  number(offset: number, size: 1 | 2 | 4 | 8, what: string): bigint {
    this.slice(BigInt(offset), BigInt(size), what);
    switch (size) {
      case 1:
        return BigInt(this.view.getUint8(offset));
      case 2:
        return BigInt(this.view.getUint16(offset, true));
      case 4:
        return BigInt(this.view.getUint32(offset, true));
      case 8:
        return this.view.getBigUint64(offset, true);
    }
  }
}

/** Field offsets that differ between the classes. `word` is the size of addresses and file offsets. */
const LAYOUTS = {
  32: {
    word: 4,
    header: { entry: 24, phoff: 28, shoff: 32, flags: 36, phentsize: 42, phnum: 44, shentsize: 46, shnum: 48 },
    program: { size: 32, flags: 24, offset: 4, vaddr: 8, filesz: 16, memsz: 20 },
    section: { size: 40, offset: 16, length: 20, link: 24 },
    symbol: { size: 16, value: 4 },
  },
  64: {
    word: 8,
    header: { entry: 24, phoff: 32, shoff: 40, flags: 48, phentsize: 54, phnum: 56, shentsize: 58, shnum: 60 },
    program: { size: 56, flags: 4, offset: 8, vaddr: 16, filesz: 32, memsz: 40 },
    section: { size: 64, offset: 24, length: 32, link: 40 },
    symbol: { size: 24, value: 8 },
  },
} as const;

/** What a program must be for a machine, by name, to run it. */
export interface ElfTarget {
  readonly name: string;
  /** `e_machine` */
  readonly machine: number;
  readonly class: 32 | 64;
  /** What a compiler is to be told. */
  readonly options: string;
}

/** What a file says of itself before all else. */
interface Identity {
  readonly class: 32 | 64;
  readonly isLittleEndian: boolean;
  readonly machine: number;
}

/** `give` says what is wanted. */
export function identify(reader: ElfReader, give: string): Identity {
  const { bytes, file } = reader;
  if (bytes.length < 4 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46)
    throw elfError(file, `not an ELF file: it does not begin with 7f 45 4c 46; give ${give}, or use --hex for bytes`);
  const byte = (offset: number): number => Number(reader.number(offset, 1, "the ELF header"));
  const [cls, order] = [byte(4), byte(5)];
  if (cls !== 1 && cls !== 2)
    throw elfError(file, `class ${cls} is neither 1 (32 bits) nor 2 (64 bits): the file is damaged`);
  if (order !== 1 && order !== 2)
    throw elfError(file, `byte order ${order} is neither 1 (little-endian) nor 2 (big-endian): the file is damaged`);
  const isLittleEndian = order === 1;
  const [first, second] = [byte(18), byte(19)];
  const machine = isLittleEndian ? first | (second << 8) : (first << 8) | second;
  return { class: cls === 1 ? 32 : 64, isLittleEndian, machine };
}

/**
 * Reads an executable, for `target` if that is known. `file` is its name in error messages. Throws `UserError` for whatever is not one:
 * that it is for another processor comes before how it was linked.
 */
export function readElf(bytes: Uint8Array, file: string, target?: ElfTarget): Elf {
  const reader = new ElfReader(bytes, file);
  const { class: bits, isLittleEndian, machine } = identify(reader, "an executable");
  if (target !== undefined && machine !== target.machine)
    throw elfError(file, `a program for ${machineName(machine)}; ${target.name} is ${machineName(target.machine)}`);
  if (!isLittleEndian) throw elfError(file, "big-endian; only little-endian programs can be run");
  if (target !== undefined && bits !== target.class)
    throw elfError(
      file,
      `a ${bits}-bit program; ${target.name} has ${target.class}-bit addresses: compile with ${target.options}`,
    );
  const { word, header, program } = LAYOUTS[bits];
  const field = (offset: number, size: 2 | 4 | 8): bigint => reader.number(offset, size, "the ELF header");
  const type = field(16, 2);
  if (type === 1n) throw elfError(file, "an object file (.o), not an executable; link it");
  if (type === 3n) throw elfError(file, "position-independent; link with -static -no-pie");
  if (type !== 2n) throw elfError(file, `file type ${type}; an executable has type 2`);

  const count = Number(field(header.phnum, 2));
  if (count > MOST_SEGMENTS) throw elfError(file, `${count} program headers: the file is damaged`);
  const entrySize = Number(field(header.phentsize, 2));
  if (count > 0 && entrySize < program.size) {
    throw elfError(
      file,
      `program headers of ${entrySize} bytes, at least ${program.size} expected: the file is damaged`,
    );
  }
  const table = reader.slice(field(header.phoff, word), BigInt(count * entrySize), "the program header table");
  const start = table.byteOffset - bytes.byteOffset;
  const segments: Segment[] = [];
  const tableAt = field(header.phoff, word);
  let tableAddress: bigint | undefined;
  for (let i = 0; i < count; i++) {
    const at = start + i * entrySize;
    const read = (offset: number, size: 4 | 8): bigint => reader.number(at + offset, size, `program header ${i}`);
    const kind = Number(read(0, 4));
    if (kind === PT_INTERP) throw elfError(file, "dynamically linked; link with -static");
    if (kind !== PT_LOAD) continue;
    const flags = Number(read(program.flags, 4));
    const filesz = read(program.filesz, word);
    const size = read(program.memsz, word);
    const address = read(program.vaddr, word);
    if (size === 0n) continue;
    if (filesz > size) throw elfError(file, `segment ${i} has ${filesz} bytes in the file but only ${size} in memory`);
    if (address + size > 1n << BigInt(bits)) {
      throw elfError(
        file,
        `segment ${i} at 0x${address.toString(16)} reaches past the end of the ${bits}-bit address space`,
      );
    }
    const data = reader.slice(read(program.offset, word), filesz, `segment ${i}`);
    const offset = read(program.offset, word);
    if (tableAt >= offset && tableAt + BigInt(table.length) <= offset + filesz)
      tableAddress = address + tableAt - offset;
    segments.push({
      address,
      data,
      size,
      readable: (flags & 4) !== 0,
      writable: (flags & 2) !== 0,
      executable: (flags & 1) !== 0,
    });
  }
  if (segments.length === 0) throw elfError(file, "no loadable segments: there is nothing to run");
  checkOverlap(segments, file);
  return {
    class: bits,
    machine,
    flags: Number(field(header.flags, 4)),
    entry: field(header.entry, word),
    segments,
    headers: tableAddress === undefined ? undefined : { address: tableAddress, size: entrySize, count },
    symbols: readSymbols(reader, bits),
  };
}

function checkOverlap(segments: readonly Segment[], file: string): void {
  const sorted = [...segments].sort((a, b) => (a.address < b.address ? -1 : 1));
  sorted.forEach((segment, i) => {
    const next = sorted[i + 1];
    if (next !== undefined && segment.address + segment.size > next.address) {
      const [a, b] = [segment.address.toString(16), next.address.toString(16)];
      throw elfError(file, `the segments at 0x${a} and 0x${b} overlap`);
    }
  });
}

/** Symbols are for convenience: a section table that cannot be read is as none. */
function readSymbols(reader: ElfReader, bits: 32 | 64): ReadonlyMap<string, bigint> {
  const { word, header, section, symbol } = LAYOUTS[bits];
  const symbols = new Map<string, bigint>();
  try {
    const field = (offset: number, size: 2 | 4 | 8): bigint => reader.number(offset, size, "the ELF header");
    const base = Number(field(header.shoff, word));
    const entrySize = Number(field(header.shentsize, 2));
    const count = Number(field(header.shnum, 2));
    if (base === 0 || entrySize < section.size) return symbols;
    const of = (i: number, offset: number, size: 4 | 8): bigint =>
      reader.number(base + i * entrySize + offset, size, `section header ${i}`);
    const contents = (i: number): Uint8Array =>
      reader.slice(of(i, section.offset, word), of(i, section.length, word), `section ${i}`);
    for (let i = 0; i < count; i++) {
      if (Number(of(i, 4, 4)) !== SHT_SYMTAB) continue;
      const names = contents(Number(of(i, section.link, 4)));
      const table = new ElfReader(contents(i), reader.file);
      for (let at = 0; at + symbol.size <= table.bytes.length; at += symbol.size) {
        const name = text(names, Number(table.number(at, 4, "a symbol")));
        if (name !== "") symbols.set(name, table.number(at + symbol.value, word, "a symbol"));
      }
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return symbols;
}

/** A name in a string table. */
export function text(names: Uint8Array, at: number): string {
  let end = at;
  while (end < names.length && names[end] !== 0) end++;
  return String.fromCharCode(...names.subarray(at, Math.min(end, at + 200)));
}
