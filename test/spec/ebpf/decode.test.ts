/** Exactly the words that RFC 9669 defines decode. */
import { expect, test } from "vitest";
import { decode } from "../../../refinement/assembly/index.js";
import { randomFrom } from "../../refinement/assembly/machines.js";
import { ebpf, randomWords, set } from "./machine.js";
import { isDefined, WIDE } from "./rfc.js";

function check(word: bigint, second = 0n): void {
  const whole = (word & 0xffn) === BigInt(WIDE) ? word | (second << 64n) : word;
  const ours = decode(ebpf, whole)?.instruction.name;
  if ((ours !== undefined) !== isDefined(word, second))
    expect.fail(`0x${whole.toString(16)}: ${ours ?? "no instruction"}, but the RFC says otherwise`);
}

const OFFSETS = [0n, 1n, 2n, 7n, 8n, 9n, 15n, 16n, 31n, 32n, 33n, 64n, 0x7fffn, 0x8000n, 0xffffn];
const IMMEDIATES = [
  0x00n,
  0x01n,
  0x10n,
  0x20n,
  0x40n,
  0x41n,
  0x50n,
  0x51n,
  0xa0n,
  0xa1n,
  0xe0n,
  0xe1n,
  0xf0n,
  0xf1n,
  8n,
  15n,
  17n,
  63n,
  0x100n,
  0x110n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
];

test("every opcode with every pair of registers, and offsets and immediates that mean something", () => {
  for (let opcode = 0n; opcode < 256n; opcode++) {
    for (let registers = 0n; registers < 256n; registers++) {
      const low = opcode | (registers << 8n);
      for (const offset of registers % 17n === 0n ? OFFSETS : OFFSETS.slice(0, 2))
        for (const imm of registers % 17n === 0n ? IMMEDIATES : IMMEDIATES.slice(0, 3))
          check(low | (offset << 16n) | (imm << 32n));
    }
  }
});

test("the second slot of wide instructions", () => {
  for (let registers = 0n; registers < 256n; registers++) {
    for (const second of [0n, 1n << 32n, 0xffffffffn << 32n, 1n, 0x18n, 0x100n, 0x80000000n, (1n << 32n) | 1n])
      check(BigInt(WIDE) | (registers << 8n) | (5n << 32n), second);
  }
});

test("the neighbours of every instruction, and words at random", () => {
  const random = randomFrom(3);
  for (const instruction of set.instructions) {
    for (const word of randomWords(instruction, 3, random)) {
      const [low, second] = [BigInt.asUintN(64, word), word >> 64n];
      for (let bit = 0n; bit < 64n; bit++) {
        check(low ^ (1n << bit), second);
        check(low, second ^ (1n << bit));
      }
    }
  }
  for (let i = 0; i < 30_000; i++) check((BigInt(random()) << 32n) | BigInt(random()));
});

test("the check can fail: the RFC's table is not what it was written from", () => {
  expect(isDefined(0x0000_0000_0000_0a07n, 0n)).toBe(false); // r10 += 0
  expect(isDefined(0x0000_0000_0000_0107n, 0n)).toBe(true);
  expect(isDefined(0x0000_0000_0001_0107n, 0n)).toBe(false);
});

test("conformance groups, section 2.4: a file each, and together the machine", () => {
  // 12 arithmetic and shift operations without MUL, DIV, MOD; NEG; MOVSX
  const arithmetic = (signExtensions: number): number => 2 * 9 + 1 + signExtensions;
  const jumps = 2 * 11;
  const base32 = arithmetic(2) + 6 + jumps + 2 + 4 + 3 * 3 + 3;
  const base64 = arithmetic(3) + 3 + jumps + 3 + 7;
  expect(set.instructions).toHaveLength(base32 + base64 + 2 * (5 * 2) + 2 * 10 + 6);
});
