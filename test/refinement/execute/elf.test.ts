import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../refinement/errors.js";
import { readElf } from "../../../refinement/execute/elf.js";
import { type ElfParts, elfFile } from "./elf-file.js";

const CODE = Uint8Array.from([0x13, 0, 0, 0, 0x73, 0, 0, 0]);
const parts = (bits: 32 | 64): ElfParts => ({
  class: bits,
  entry: 0x1_0000n,
  segments: [
    { address: 0x1_0000n, data: CODE, flags: 5 },
    { address: 0x2_0000n, data: Uint8Array.from([1, 2, 3]), size: 100n, flags: 6 },
  ],
  symbols: new Map([
    ["begin_signature", 0x2_0000n],
    ["end_signature", 0x2_0040n],
  ]),
});

describe.each([32, 64] as const)("a %i-bit ELF file", (bits) => {
  const good = elfFile(parts(bits));

  it("is read whole", () => {
    const elf = readElf(good, "prog");
    expect(elf.class).toBe(bits);
    expect(elf.machine).toBe(243);
    expect(elf.entry).toBe(0x1_0000n);
    expect(elf.segments.map((s) => [s.address, s.size, s.readable, s.writable, s.executable])).toEqual([
      [0x1_0000n, 8n, true, false, true],
      [0x2_0000n, 100n, true, true, false],
    ]);
    expect([...(elf.segments[0]?.data ?? [])]).toEqual([...CODE]);
    expect(elf.symbols.get("end_signature")).toBe(0x2_0040n);
  });

  const segment = (change: Partial<ElfParts["segments"][number]>): Uint8Array =>
    elfFile({ ...parts(bits), segments: [{ address: 0x1_0000n, data: CODE, flags: 5, ...change }] });
  const patched = (offset: number, value: number): Uint8Array => {
    const copy = good.slice();
    copy[offset] = value;
    return copy;
  };

  it.each([
    ["no ELF file", Uint8Array.from([1, 2, 3, 4]), /not an ELF file/],
    ["an empty file", new Uint8Array(), /not an ELF file/],
    ["a header cut short", good.slice(0, 20), /truncated: the ELF header/],
    ["a program header table cut short", good.slice(0, bits === 64 ? 70 : 60), /truncated: the program header table/],
    ["a segment cut short", elfFile({ ...parts(bits), symbols: new Map() }).slice(0, -1), /truncated: segment 1/],
    ["an unknown class", patched(4, 3), /class 3/],
    ["big-endian bytes", patched(5, 2), /big-endian/],
    ["an unknown byte order", patched(5, 3), /byte order 3/],
    ["an object file", elfFile({ ...parts(bits), type: 1 }), /object file/],
    ["a position-independent file", elfFile({ ...parts(bits), type: 3 }), /-no-pie/],
    ["a core dump", elfFile({ ...parts(bits), type: 4 }), /file type 4/],
    ["no segments", elfFile({ ...parts(bits), segments: [] }), /no loadable segments/],
    ["a dynamically linked program", patched(bits === 64 ? 64 : 52, 3), /dynamically linked/],
    ["more in the file than in memory", segment({ size: 4n }), /8 bytes in the file but only 4/],
    ["a segment past the end of memory", segment({ address: (1n << BigInt(bits)) - 4n }), /past the end/],
    [
      "overlapping segments",
      elfFile({
        ...parts(bits),
        segments: [0x1_0000n, 0x1_0004n].map((address) => ({ address, data: CODE, flags: 5 })),
      }),
      /overlap/,
    ],
  ])("with %s is refused", (_, bytes, message) => {
    expect(() => readElf(bytes, "prog")).toThrow(UserError);
    expect(() => readElf(bytes, "prog")).toThrow(message);
    expect(() => readElf(bytes, "prog")).toThrow(/^prog:1:1: E_ELF: /);
  });

  it("damaged anywhere is read or refused, never a crash", () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        const bytes = good.slice(0, length);
        if (at < length) bytes[at] = value;
        try {
          readElf(bytes, "prog");
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});
