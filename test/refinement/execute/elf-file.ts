/**
 * Small ELF files, put together byte by byte: right ones, and wrong in one place.
 */
export interface ElfSegment {
  readonly address: bigint;
  readonly data: Uint8Array;
  /** Bytes in memory, if more than in the file. */
  readonly size?: bigint;
  /** 4 readable, 2 writable, 1 executable. */
  readonly flags: number;
}

export interface ElfParts {
  readonly class: 32 | 64;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly symbols?: ReadonlyMap<string, bigint>;
  readonly machine?: number;
  readonly type?: number;
  readonly flags?: number;
}

/** System V ABI, chapters 4 and 5. */
export function elfFile(parts: ElfParts): Uint8Array {
  const wide = parts.class === 64;
  const word = wide ? 8 : 4;
  const headerSize = wide ? 64 : 52;
  const programSize = wide ? 56 : 32;
  const sectionSize = wide ? 64 : 40;
  const symbols = [...(parts.symbols ?? new Map<string, bigint>())];
  const names = `\0${symbols.map(([name]) => `${name}\0`).join("")}`;
  const symbolSize = wide ? 24 : 16;
  const sections = symbols.length > 0 ? 3 : 0;
  const dataStart = headerSize + programSize * parts.segments.length;
  let top = dataStart;
  const offsets = parts.segments.map((s) => {
    const at = top;
    top += s.data.length;
    return at;
  });
  const symbolStart = top;
  const nameStart = symbolStart + symbolSize * (symbols.length + 1);
  const sectionStart = nameStart + names.length;
  const bytes = new Uint8Array(sections === 0 ? top : sectionStart + sections * sectionSize);
  const view = new DataView(bytes.buffer);
  const put = (at: number, size: number, value: bigint | number): void => {
    for (let i = 0; i < size; i++) bytes[at + i] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
  };
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  put(16, 2, parts.type ?? 2);
  put(18, 2, parts.machine ?? 243);
  put(20, 4, 1);
  put(24, word, parts.entry);
  put(24 + word, word, headerSize);
  put(24 + 2 * word, word, sections === 0 ? 0 : sectionStart);
  const rest = 24 + 3 * word;
  put(rest, 4, parts.flags ?? 0);
  put(rest + 4, 2, headerSize);
  put(rest + 6, 2, programSize);
  put(rest + 8, 2, parts.segments.length);
  put(rest + 10, 2, sectionSize);
  put(rest + 12, 2, sections);
  parts.segments.forEach((s, i) => {
    const at = headerSize + i * programSize;
    put(at, 4, 1);
    put(at + (wide ? 4 : 24), 4, s.flags);
    put(at + (wide ? 8 : 4), word, offsets[i] ?? 0);
    put(at + (wide ? 16 : 8), word, s.address);
    put(at + (wide ? 32 : 16), word, s.data.length);
    put(at + (wide ? 40 : 20), word, s.size ?? BigInt(s.data.length));
    bytes.set(s.data, offsets[i] ?? 0);
  });
  if (sections === 0) return bytes;
  let name = 1;
  symbols.forEach(([text, value], i) => {
    const at = symbolStart + (i + 1) * symbolSize;
    put(at, 4, name);
    put(at + (wide ? 8 : 4), word, value);
    name += text.length + 1;
  });
  for (let i = 0; i < names.length; i++) view.setUint8(nameStart + i, names.charCodeAt(i));
  const section = (i: number, type: number, offset: number, size: number, link: number): void => {
    const at = sectionStart + i * sectionSize;
    put(at + 4, 4, type);
    put(at + (wide ? 24 : 16), word, offset);
    put(at + (wide ? 32 : 20), word, size);
    put(at + (wide ? 40 : 24), 4, link);
  };
  section(1, 2, symbolStart, symbolSize * (symbols.length + 1), 2);
  section(2, 3, nameStart, names.length, 0);
  return bytes;
}
