import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contents, NAMES, readLog, savedLog } from "./logs.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("a log", () => {
  test("tells the prologue once", () => {
    const { prologues } = readLog(savedLog("single"));
    expect(prologues).toHaveLength(1);
    expect(hex(prologues[0]?.code ?? new Uint8Array())).toMatch(/^5553415441554156415748.*ffe633c0.*c3$/);
  });

  test("of single instructions: guest bytes, host bytes with continuations, marks, calls, pool", () => {
    const { blocks, problems } = readLog(savedLog("single"));
    expect(problems).toEqual([]);
    expect(blocks.map((b) => hex(b.instructions[0]?.bytes ?? new Uint8Array()))).toEqual([
      "13855500",
      "3396e602",
      "2f350110",
      "af35a118",
      "3395c50a",
      "53f5c502",
      "2ae4",
      "9308703e",
      "73000000",
      "63030000",
      "0505",
      "0000",
    ]);
    const [addi] = blocks;
    expect(addi?.boundaries).toEqual([addi?.instructions[0]?.address]);
    expect(hex(addi?.code ?? new Uint8Array())).toMatch(/^8b5df885db0f8c/);
    expect(addi?.operations.map((o) => [o.name, o.operands[0], o.synced])).toEqual([
      ["add_i64", "x10/a0", ["x10/a0"]],
      ["mov_i64", "pc", ["pc"]],
      ["call", "lookup_tb_ptr", []],
      ["goto_ptr", expect.stringMatching(/^tmp/), []],
      ["exit_tb", expect.stringMatching(/^\$0x/), []],
    ]);
    for (const block of blocks) {
      expect(block.pool.length % 8).toBe(0);
      expect(block.marks[0]?.host).toBe(block.address);
      expect(block.marksEnd).toBeLessThanOrEqual(block.address + BigInt(block.code.length));
    }
  });

  test("of whole blocks: a mark for each instruction that has host code", () => {
    const { blocks } = readLog(savedLog("chained"));
    expect(blocks.map((b) => b.instructions.length)).toEqual([5, 4, 1, 3]);
    const loop = blocks[1];
    expect(loop?.marks.map((m) => m.guest)).toEqual(loop?.boundaries);
    expect(loop?.operations.filter((o) => o.name === "goto_tb")).toHaveLength(2);
  });

  test("without in_asm still tells where the instructions are", () => {
    const { blocks, problems } = readLog(savedLog("no-input"));
    expect(problems).toEqual([]);
    expect(blocks.map((b) => b.instructions.length)).toEqual([0, 0, 0, 0]);
    expect(blocks.map((b) => b.boundaries)).toEqual(readLog(savedLog("chained")).blocks.map((b) => b.boundaries));
  });

  test("is read alike in pieces of any size", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }),
        (name, sizes) => {
          expect(readLog(savedLog(name), sizes)).toEqual(readLog(savedLog(name)));
        },
      ),
      { numRuns: 30 },
    );
  });

  test("may have other items between its blocks", () => {
    const text = savedLog("single");
    const traced = text.replaceAll("\n\n----------------\n", "\n\nTrace 0: 0x7f00 [0/0/0]\n----------------\n");
    expect(readLog(traced).problems).toEqual([]);
    expect(readLog(traced).blocks.map(contents)).toEqual(readLog(text).blocks.map(contents));
  });
});

describe("a damaged log", () => {
  const text = savedLog("single");
  const lines = text.split("\n");
  const whole = readLog(text).blocks.map(contents);

  test.each([
    ["malformed", /movl .*-8\(%rbp\)/, (line: string) => [line.replace("8b 5d", "8b 5x")]],
    ["malformed", /movl .*-8\(%rbp\)/, () => ["  -- guest address"]],
    ["malformed", /^0x00000000000100b0/, (line: string) => [line.replace("00558513", "0055851")]],
    ["gap", /testl/, () => []],
    ["size", /^OUT: /, () => ["OUT: [size=7]"]],
    ["size", /^OUT: /, () => ["OUT: [size=70000000]"]],
    ["size", /^OUT: /, () => ["OUT: [size=7000]"]],
    ["malformed", /^ ---- /, (line: string) => [line, line]],
    ["flood", /^IN:/, (line: string) => [line, "x".repeat(20000)]],
  ] as const)("is %s where %s is changed, and told by line", (name, find, edit) => {
    const at = lines.findIndex((line) => find.test(line));
    const copy = [...lines];
    copy.splice(at, 1, ...edit(lines[at] ?? ""));
    const { blocks, problems } = readLog(copy.join("\n"));
    expect(problems.map((p) => p.name)).toEqual([name]);
    expect(problems[0]?.line).toBeGreaterThanOrEqual(at);
    expect(problems[0]?.message).not.toBe("");
    expect(blocks.map(contents)).toEqual(whole.slice(1));
  });

  test("ends in the middle of a block", () => {
    const { blocks, problems } = readLog(text.slice(0, text.lastIndexOf("lea")));
    expect(problems.map((p) => p.name)).toEqual(["truncated"]);
    expect(blocks.map(contents)).toEqual(whole.slice(0, -1));
  });

  test("never ends: little is kept of it", () => {
    const endless = `${text}\n----------------\nIN: \n${"0x0000000000010000:  ffffffff  illegal\n".repeat(2)}`;
    expect(readLog(endless).problems.map((p) => p.name)).toEqual(["gap"]);
    const flood = Array.from(
      { length: 600 },
      (_, i) => `0x${(0x10000 + 4 * i).toString(16).padStart(16, "0")}:  ffffffff  illegal`,
    );
    expect(readLog(`${text}\n----------------\nIN: \n${flood.join("\n")}`).problems.map((p) => p.name)).toEqual([
      "flood",
    ]);
    expect(readLog("z".repeat(1 << 20), [4096]).problems[0]?.name).toBe("flood");
  });

  /** Blocks begin at a separator, and there are none but these in the text. */
  test("costs the blocks that are damaged and no other", () => {
    const starts = lines.flatMap((line, i) => (line === "----------------" ? [i] : []));
    const blockAt = (line: number): number => starts.filter((s) => s <= line).length - 1;
    const junk = fc.constantFrom(
      "",
      "\0",
      "OUT: [size=1]",
      "IN: ",
      "  -- guest addr 0x1",
      "OP:",
      "0x1:  00",
      " ---- 1",
      "PROLOGUE: [size=3]",
    );
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(5), fc.array(junk, { maxLength: 3 }), (at, removed, inserted) => {
        const copy = [...lines];
        const gone = copy.splice(at, removed, ...inserted);
        const { blocks } = readLog(copy.join("\n"), [1000]);
        const first = blockAt(at);
        // Where a separator goes, the block before it suffers too.
        const last = blockAt(at + gone.length);
        const left = new Set(blocks.map(contents));
        for (const [i, block] of whole.entries()) if (i < first - 1 || i > last) expect(left).toContain(block);
        expect(blocks.length).toBeLessThanOrEqual(whole.length + 1);
      }),
      { numRuns: 300 },
    );
  });

  test("of any bytes throws nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(text.length), (bytes, at) => {
        readLog(text.slice(0, at) + Buffer.from(bytes).toString("latin1") + text.slice(at), [777]);
      }),
      { numRuns: 100 },
    );
  });
});
