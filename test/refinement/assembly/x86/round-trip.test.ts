import { describe, expect, test } from "vitest";
import { decoderLibrary } from "../../../../refinement/assembly/library.js";
import {
  assembleX86,
  decodeX86,
  disassembleX86,
  encodeX86,
  printX86,
  same,
} from "../../../../refinement/assembly/x86/index.js";
import { UserError } from "../../../../refinement/errors.js";
import { ADDRESS, everyForm, moved, x8664 } from "./every-form.js";

function decoded(bytes: Uint8Array) {
  const reading = decodeX86(bytes);
  if (reading.kind !== "instruction") throw new Error(`${Buffer.from(bytes).toString("hex")} is ${reading.kind}`);
  return reading.instruction;
}

describe("every opcode of the machine's instructions", () => {
  test("is decoded, printed and assembled to the same instruction again", { timeout: 300_000 }, async () => {
    const { samples, empty } = await everyForm();
    expect(empty).toEqual(EMPTY);
    expect(samples.length).toBeGreaterThan(25_000);
    const wrong: string[] = [];
    for (const { instruction, bytes } of samples) {
      const text = printX86(instruction, ADDRESS);
      const again = decoded(assembleX86(text, ADDRESS).bytes);
      const encoded = encodeX86(instruction);
      const line = disassembleX86(bytes, ADDRESS)[0];
      const isSame =
        same(moved(again, again.length - instruction.length), instruction) &&
        printX86(again, ADDRESS) === text &&
        again.length <= instruction.length &&
        line?.text === text &&
        encoded !== undefined &&
        same(instruction, decoded(encoded));
      if (!isSame) wrong.push(`${Buffer.from(bytes).toString("hex")} ${text}`);
    }
    expect(wrong).toEqual([]);
  });

  test("belongs to every block", async () => {
    const { samples } = await everyForm();
    const found = new Set(samples.map((s) => s.block));
    const blocks = (await x8664()).blocks.map((b) => b.name);
    expect(blocks.filter((name) => !found.has(name))).toEqual([]);
  });
});

/** What the machine leaves out: an operand-size prefix that processors of different makers read differently, or 16-bit frames. */
const EMPTY: readonly string[] = [
  "movsxd r16_reg r16_or_mem",
  "jmp r16_or_mem",
  "call r16_or_mem",
  "ret imm16",
  "ret ",
  "leave ",
  "enter imm16 imm8",
];

test.each([
  ["add rax, [rbx+rcx*8+16]", "480344cb10"],
  ["add rax, [8*rcx + rbx + 0x10]", "480344cb10"],
  ["x: jmp x", "ebfe"],
  ["jmp far_away; db 0; far_away: ret", "eb0100c3"],
  ["mov rax, fs:[0x28]", "64488b042528000000"],
  ["REP MOVSQ", "f348a5"],
  ["jz . ; jc .", "74fe72fe"],
  ["mov rax, [rsp+rax]", "488b0404"],
  ["mov rax, [rax+rsp]", "488b0404"],
  ["lea rdi, [rip+text]; ret; text: db 1, 2", "488d3d01000000c30102"],
  ["push 5 # a comment", "6a05"],
  ["dd -1, 0x10", "ffffffff10000000"],
  ["call [rax]", "ff10"],
] as const)("%s", (text, hex) => {
  expect(Buffer.from(assembleX86(text, 0n).bytes).toString("hex")).toBe(hex);
});

test("a jump is lengthened until everything between fits", () => {
  const between = Array.from({ length: 100 }, (_, i) => `l${i}: jmp end`).join("; ");
  const { bytes, labels } = assembleX86(`${between}; end: ret`, 0n);
  let at = 0n;
  while (at < (labels.get("end") ?? 0n)) {
    const instruction = decoded(bytes.subarray(Number(at)));
    const [target] = instruction.operands;
    expect(target?.kind === "target" && at + BigInt(instruction.length) + target.displacement).toBe(labels.get("end"));
    at += BigInt(instruction.length);
  }
  expect(decoded(bytes).length).toBe(5);
  expect(decoded(bytes.subarray(bytes.length - 3)).length).toBe(2);
});

test.each([
  ["add rax, [rbx", "E_SYNTAX"],
  ["add [rax], 1", "byte ptr"],
  ["add rax, rbx, rcx", "no form"],
  ["ad rax, 1", "did you mean `add`"],
  ["add rax, 0x123456789", "E_RANGE"],
  ["mov spl, ah", "registers cannot stand together"],
  ["lea rax, [rax+rbx*3]", "scaled by 1, 2, 4 or 8"],
  ["lea rax, [rax+rsp*2]", "cannot be an index"],
  ["lea rax, [rax+ebx]", "one width"],
  ["jmp nowhere", "E_UNKNOWN"],
  ["x: x: ret", "E_DUPLICATE"],
  ["db 256", "E_RANGE"],
  ["lea rax, [rax+rbx+rcx]", "one register too many"],
  ["rep add rax, 1", "belongs to a string instruction"],
  ["vaddps ymm0, ymm1, ymm2", "E_UNKNOWN"],
] as const)("%s is refused: %s", (text, message) => {
  expect(() => assembleX86(text, 0n)).toThrow(UserError);
  expect(() => assembleX86(text, 0n)).toThrow(message);
});

describe("what is no instruction, or none that can be told", () => {
  test.each([
    ["06", "db 0x06"],
    ["0f04c3", "db 0x0f; add al, 0xc3"],
    ["c5fc58c0", "db 0xc5, 0xfc, 0x58, 0xc0 # vaddps"],
    ["66c3", "db 0x66, 0xc3 # ret with an operand-size prefix, which AMD's processors obey and Intel's ignore"],
    ["f2e1fe", "db 0xf2, 0xe1, 0xfe # loope with a repeat prefix, whose meaning is reserved"],
    ["ff28", "db 0xff, 0x28 # far jmp"],
    ["48", "db 0x48"],
    ["d7", "db 0xd7 # xlatb"],
    ["f00102", "lock add dword ptr [rdx], eax"],
    ["f001c2", "db 0xf0; add edx, eax"],
  ])("%s is shown as %s", (hex, text) => {
    const lines = disassembleX86(Buffer.from(hex, "hex"), 0n);
    expect(lines.map((l) => l.text).join("; ")).toBe(text);
    const again = lines.map((l) => l.text).join("\n");
    expect(Buffer.from(assembleX86(again, 0n).bytes).toString("hex")).toBe(hex);
  });

  test("an instruction that the machine lacks is data, with its name", async () => {
    const library = await decoderLibrary(await x8664());
    const [line] = library.disassemble(Buffer.from("0fae01", "hex"), 0n, () => false);
    expect(line?.text).toMatch(/^db 0x0f, 0xae, 0x01 # fxsave$/);
  });

  test("sixteen bytes are too many, of whatever prefixes", () => {
    for (const prefix of [0x66, 0x43, 0x2e, 0xf3])
      expect(decodeX86(new Uint8Array(15).fill(prefix))).toEqual({ kind: "undecodable", overlong: true });
  });

  test("bytes that nothing completes are not waited for", () => {
    expect(decodeX86(Uint8Array.of(0x06)).kind).toBe("undecodable");
    expect(decodeX86(Uint8Array.of(0x0f)).kind).toBe("truncated");
    expect(decodeX86(Uint8Array.of(0x48, 0xb8, 1)).kind).toBe("truncated");
    expect(decodeX86(new Uint8Array(15).fill(0x66)).kind).toBe("undecodable");
  });

  test("an instruction beyond 15 bytes is told from one that nothing defines", () => {
    const overlong = (prefixes: string, rest: string): unknown => {
      const reading = decodeX86(Buffer.from(prefixes + rest, "hex"));
      return reading.kind === "undecodable" ? reading.overlong : reading.kind;
    };
    expect(overlong("66".repeat(14), "90")).toBe("instruction");
    expect(overlong("66".repeat(15), "90")).toBe(true);
    expect(overlong("66".repeat(14), "0f0b")).toBe(true);
    expect(overlong("66".repeat(14), "06")).toBe(false);
    expect(overlong("f0".repeat(15), "90")).toBe(true);
    expect(overlong("2e".repeat(9), "48b81122334455667788")).toBe(true);
    expect(overlong("f0".repeat(14), "90")).toBe(false);
  });
});
