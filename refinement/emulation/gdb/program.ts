/** The program that a stub is started with: the room's memory and one instruction of our own, as a static ELF file. */
import { UserError } from "../../errors.js";
import type { Architecture } from "../../gdb.js";
import type { RoomPart } from "../../refinement.js";
import { patternOf } from "../room.js";

export const PAGE = 4096n;
/** Between the room and our own instruction. */
const DISTANCE = 1n << 20n;

interface Segment {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly access: RoomPart["access"];
}

export interface Program {
  readonly elf: Uint8Array;
  /** Where our own instruction stands. */
  readonly toucher: bigint;
}

/** Throws a UserError where parts of the room share a page but not their permissions, which a page has as a whole. */
export function programFor(parts: readonly RoomPart[], architecture: Architecture): Program {
  const loaded = parts.filter((p) => p.access.length > 0);
  const segments = loaded.map((part): Segment => {
    const address = part.start & -PAGE;
    const end = (part.end + PAGE - 1n) & -PAGE;
    const other = parts.find((p) => p !== part && p.start < end && p.end > address);
    if (other !== undefined)
      throw new UserError(
        `the memory at 0x${part.start.toString(16)} and that at 0x${other.start.toString(16)} lie on the same page of ${PAGE} bytes: put them on pages of their own`,
      );
    const bytes = new Uint8Array(Number(end - address));
    bytes.set(patternOf(part.start, Number(part.end - part.start)), Number(part.start - address));
    return { address, bytes, access: part.access };
  });
  const last = parts.reduce((most, p) => (p.end > most ? p.end : most), 0n);
  const toucher = ((last + PAGE - 1n) & -PAGE) + DISTANCE;
  segments.push({ address: toucher, bytes: architecture.toucher.code, access: ["fetch", "load"] });
  return { elf: elfOf(segments, toucher, architecture.elf), toucher };
}

const BITS = { fetch: 1, store: 2, load: 4 } as const;

/** System V ABI, "Object Files": the header, then a program header for each segment, then their bytes at offsets like their addresses. */
function elfOf(segments: readonly Segment[], entry: bigint, { width, machine }: Architecture["elf"]): Uint8Array {
  const wide = width === 64;
  const [headerSize, entrySize] = wide ? [64, 56] : [52, 32];
  const out = new Writer(wide);
  out.bytes(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  out.half(2).half(machine).word(1);
  out.address(entry).address(BigInt(headerSize)).address(0n);
  out.word(0).half(headerSize).half(entrySize).half(segments.length).half(0).half(0).half(0);
  let offset = PAGE;
  const offsets = segments.map(({ address, bytes }) => {
    const at = offset + (address % PAGE);
    offset = (at + BigInt(bytes.length) + PAGE - 1n) & -PAGE;
    return at;
  });
  segments.forEach(({ address, bytes, access }, i) => {
    const flags = access.reduce((all, a) => all | BITS[a], 0);
    const size = BigInt(bytes.length);
    out.word(1);
    if (wide) out.word(flags);
    out
      .address(offsets[i] ?? 0n)
      .address(address)
      .address(address)
      .address(size)
      .address(size);
    if (!wide) out.word(flags);
    out.address(PAGE);
  });
  segments.forEach(({ bytes }, i) => {
    out.at(Number(offsets[i] ?? 0n)).bytes(bytes);
  });
  return out.whole;
}

/** Little-endian. */
class Writer {
  private readonly parts: Uint8Array[] = [];
  private readonly wide: boolean;
  private size = 0;

  constructor(wide: boolean) {
    this.wide = wide;
  }

  bytes(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.size += bytes.length;
    return this;
  }

  half(value: number): this {
    return this.number(BigInt(value), 2);
  }

  word(value: number): this {
    return this.number(BigInt(value), 4);
  }

  address(value: bigint): this {
    return this.number(value, this.wide ? 8 : 4);
  }

  /** Zeros up to an offset. */
  at(offset: number): this {
    return this.bytes(new Uint8Array(offset - this.size));
  }

  private number(value: bigint, size: number): this {
    return this.bytes(Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn)));
  }

  get whole(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}
