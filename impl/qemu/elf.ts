/**
 * Writes ELF executables for RISC-V (System V ABI, "Object Files" and "Program Loading"), 64 bits, with segments and nothing else.
 */

export interface ElfSegment {
  /** On a page's boundary. */
  readonly address: bigint;
  readonly data: Uint8Array;
  /** Bytes in memory, if more than in the file. */
  readonly size?: number;
  readonly writable: boolean;
  readonly executable: boolean;
}

const PAGE = 0x1000;
const HEADER = 64;
const PROGRAM_HEADER = 56;

export function writeElf(entry: bigint, segments: readonly ElfSegment[]): Uint8Array {
  const roundUp = (n: number): number => Math.ceil(n / PAGE) * PAGE;
  const offsets: number[] = [];
  let top = roundUp(HEADER + PROGRAM_HEADER * segments.length);
  for (const { data } of segments) {
    offsets.push(top);
    top += roundUp(data.length);
  }
  const bytes = new Uint8Array(top);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const half = (at: number, value: number): void => view.setUint16(at, value, true);
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  const double = (at: number, value: bigint): void => view.setBigUint64(at, value, true);
  half(16, 2); // ET_EXEC
  half(18, 243); // EM_RISCV
  word(20, 1);
  double(24, entry);
  double(32, BigInt(HEADER));
  word(48, 1); // EF_RISCV_RVC, which also lets 32-bit instructions alone
  half(52, HEADER);
  half(54, PROGRAM_HEADER);
  half(56, segments.length);
  half(58, 64);
  for (const [i, segment] of segments.entries()) {
    const at = HEADER + i * PROGRAM_HEADER;
    const offset = offsets[i] ?? 0;
    word(at, 1); // PT_LOAD
    word(at + 4, 4 | (segment.writable ? 2 : 0) | (segment.executable ? 1 : 0));
    double(at + 8, BigInt(offset));
    double(at + 16, segment.address);
    double(at + 24, segment.address);
    double(at + 32, BigInt(segment.data.length));
    double(at + 40, BigInt(segment.size ?? segment.data.length));
    double(at + 48, BigInt(PAGE));
    bytes.set(segment.data, offset);
  }
  return bytes;
}
