/** The installed QEMU as a translator. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { writeElf } from "../../../impl/qemu/elf.js";
import { sweep } from "../../../impl/qemu/sweep.js";
import { snippetProgram } from "../../../impl/qemu/snippets.js";
import open from "../../../impl/qemu/translator.js";
import { assemble } from "../../../refinement/assembly/index.js";
import { UserError } from "../../../refinement/errors.js";
import type { GuestBlock, Translation } from "../../../refinement/translation.js";
import { answersOf, FOLDER, needQemu, type Opened } from "./need-qemu.js";
import { validate } from "./validate.js";

const AT = 0x1_0000n;

async function blocksOf({ translator }: Opened, count: number, elf?: string): Promise<GuestBlock[]> {
  const blocks: GuestBlock[] = [];
  if (translator.blocks === undefined) throw new Error("no blocks of its own");
  for await (const block of translator.blocks({ count, seed: 3, elf }, new AbortController().signal))
    blocks.push(block);
  return blocks;
}

describe("translating", () => {
  test("answers each request in order, the same each time", async (ctx) => {
    const opened = await needQemu(ctx);
    const blocks = await blocksOf(opened, 120);
    expect(new Set(blocks.map((b) => b.name)).size).toBe(120);
    const answers = await answersOf(opened.translator, blocks);
    expect(answers.map((a) => a.kind)).toEqual(blocks.map(() => "translated"));
    const shuffled = [...blocks].reverse();
    expect([...(await answersOf(opened.translator, shuffled))].reverse()).toEqual(answers);
  });

  test("goes on behind code that kills QEMU, runs in circles, or that its disassembler never ends on", async (ctx) => {
    const { refinement, translator } = await needQemu(ctx);
    const one = (text: string, pc = AT): { pc: bigint; code: Uint8Array } => ({
      pc,
      code: assemble(refinement.guest, text, pc),
    });
    const answers = await answersOf(translator, [
      one("addi a0, a0, 1"),
      one(`jal zero, 0x${(AT + 6n).toString(16)}`), // misaligned: QEMU gives up
      one("addi a0, a0, 2"),
      one("jal zero, ."),
      { pc: AT, code: Uint8Array.of(0xff, 0xff, 0xff, 0xff) },
      { pc: AT + 0x1000n, code: Uint8Array.of(0x13, 0x05, 0x15, 0x00, 0x7f, 0x00, 0x00, 0x00) },
      one("addi a0, a0, 3"),
    ]);
    expect(answers.map((a) => a.kind)).toEqual(answers.map(() => "translated"));
    const trapOf = (i: number): unknown => {
      const answer = answers[i];
      return answer?.kind === "translated" ? answer.translation.exits.flatMap((e) => e.trap ?? []) : undefined;
    };
    expect([trapOf(1), trapOf(4), trapOf(5)]).toEqual([
      ["instruction_address_misaligned"],
      ["illegal_instruction"],
      ["illegal_instruction"],
    ]);
  });

  test("takes no block for another that stood at the same address", async (ctx) => {
    const { refinement, translator } = await needQemu(ctx);
    const at = (i: number): bigint => AT + 4n * BigInt(i);
    // Behind each piece something else stands for a while, and where a jump leads before there is anything.
    const texts = ["jal zero, . + 8", "sd t6, 4(t5)", "add a0, a0, a0", "sd t6, 4(t5)"];
    const requests = [
      ...texts.map((text, i) => ({ pc: at(i), code: assemble(refinement.guest, text, at(i)) })),
      ...[0, 1, 2].map((i) => ({ pc: at(i), code: Uint8Array.of(0x7f, 0, 0, 0) })),
    ];
    const together = await answersOf(translator, requests);
    for (const [i, request] of requests.entries()) {
      expect(await answersOf(translator, [request])).toEqual([together[i]]);
    }
  });

  test("refuses what it cannot place, and blocks that do not end with the code", async (ctx) => {
    const { refinement, translator } = await needQemu(ctx);
    const code = assemble(refinement.guest, "addi a0, a0, 1; addi a0, a0, 1", AT);
    const answers = await answersOf(translator, [
      { pc: AT + 1n, code },
      { pc: 0n, code },
      { pc: 1n << 60n, code },
      { pc: AT, code: new Uint8Array() },
      { pc: AT, code: Uint8Array.of(0x13, 0, 0) },
      { pc: AT, code },
      { pc: AT + 0x1000n - 8n, code },
    ]);
    expect(answers.map((a) => a.kind)).toEqual(["error", "error", "error", "error", "error", "error", "translated"]);
    expect(answers[5]).toMatchObject({ reason: expect.stringContaining("goes on behind the code") });
  });

  test("reads every block of a program once", async (ctx) => {
    const opened = await needQemu(ctx);
    const { guest } = opened.refinement;
    const folder = await mkdtemp(path.join(os.tmpdir(), "commute-qemu-test-"));
    try {
      const elf = path.join(folder, "program.elf");
      const snippet = { pc: AT, code: assemble(guest, "addi a0, a0, 1; jal zero, . - 4", AT) };
      await writeFile(elf, snippetProgram(guest, [snippet, snippet]), { mode: 0o755 });
      const blocks = await blocksOf(opened, 1000, elf);
      expect(blocks.filter((b) => b.pc === AT)).toHaveLength(1);
      expect(blocks.length).toBeGreaterThan(10);
      expect(await blocksOf(opened, 5, elf)).toEqual(blocks.slice(0, 5));
      // Translated again on their own they are the same blocks.
      const answers = await answersOf(opened.translator, blocks);
      expect(answers.map((a) => a.kind)).toEqual(blocks.map(() => "translated"));
      // What ends it is an instruction that this processor lacks: what would have come is told.
      const lacking = Buffer.concat([assemble(guest, "addi a0, a0, 1", AT), Uint8Array.of(0x53, 0x75, 0xc5, 0x02)]);
      const segment = { address: AT, data: lacking, writable: false, executable: true };
      await writeFile(elf, writeElf(AT, [segment]), { mode: 0o755 });
      const told = (await blocksOf(opened, 5, elf)).map((b) => [b.name, b.unsupported]);
      expect(told).toEqual([
        ["0x10000", undefined],
        ["behind 0x10004", expect.stringMatching(/^the instruction 0x02c57553, illegal for -cpu rv64,.*at which/)],
      ]);
      await writeFile(elf, "no program");
      await expect(blocksOf(opened, 5, elf)).rejects.toThrow(UserError);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("needs the state where the refinement says that it is", async (ctx) => {
    const { refinement } = await needQemu(ctx);
    await expect(open(refinement.guest, { layout: { x: 0, pc: 0x1338 } }, FOLDER)).rejects.toThrow(
      /pc is expected at rbp \+ 0x1338.*at rbp \+ 0x1330/,
    );
    await expect(open(refinement.guest, { layout: { x: 8, pc: 0x1330 } }, FOLDER)).rejects.toThrow(/x1 is expected/);
    await expect(open(refinement.guest, { layout: { x: 0, pc: 0x1330, badaddr: 0x1358 } }, FOLDER)).rejects.toThrow(
      /badaddr is expected at rbp \+ 0x1358.*at rbp \+ 0x1350/,
    );
    await expect(open(refinement.guest, { layout: { pc: 0x1330, nothing: 0 } }, FOLDER)).rejects.toThrow(
      /nothing shows/,
    );
  });
});

describe("with F and D", () => {
  test("what computes and CSRs are unsupported by the names of their helpers", async (ctx) => {
    const { refinement, translator } = await needQemu(ctx, "rv64u_fd");
    const blocks = [...sweep(refinement.guest, 0, 1)];
    expect(blocks).toHaveLength(2 * 23 + 2 + 12);
    for (const [i, answer] of (await answersOf(translator, blocks)).entries()) {
      const name = blocks[i]?.name ?? "";
      const helper = name.startsWith("f") ? `helper_${name.replaceAll(".", "_")}` : "helper_csrr";
      expect(answer).toEqual({ kind: "unsupported", what: expect.stringMatching(new RegExp(`(^|, )${helper}w?$`)) });
    }
  });
});

test("without QEMU it says what would install it", async (ctx) => {
  const { refinement } = await needQemu(ctx);
  const result = await open(refinement.guest, { program: "/nowhere/qemu-riscv64", layout: { x: 0 } }, FOLDER);
  expect(result).toMatchObject({ missing: [{ program: "/nowhere/qemu-riscv64" }] });
});

test.each([[undefined], [{}], [{ layout: { x: "0" } }], [{ layout: {}, program: 7 }], [{ layout: {}, cpus: "rv64" }]])(
  "options %j are refused",
  async (options) => {
    const { loadMachine } = await import("../../../spec/notation/index.js");
    const guest = await loadMachine(path.resolve("spec/riscv/rv64im.yaml"));
    await expect(open(guest, options, FOLDER)).rejects.toThrow(UserError);
  },
);

describe("what QEMU makes is proved, and what it would make with a mistake is refuted", () => {
  const code = "addiw a0, a1, 1; ld a2, 8(a3); sd a2, 16(a3); jal ra, . + 16";

  async function verdicts(
    opened: Opened,
    change: (translation: Translation) => Translation,
    text = code,
  ): Promise<Readonly<Record<string, string>>> {
    const block = { name: "block", pc: AT, code: assemble(opened.refinement.guest, text, AT) };
    const settled = await validate(opened.refinement, opened.translator, block, change);
    return Object.fromEntries(
      settled.map(({ obligation, verdict: v }) => [
        obligation,
        v.verdict === "refuted" ? `refuted ${v.counterexample.cause.variable}` : v.verdict,
      ]),
    );
  }

  /** The first place with these bytes, changed. */
  const patch =
    (find: string, to: string) =>
    (t: Translation): Translation => {
      const hex = Buffer.from(t.host.code).toString("hex");
      const at = hex.indexOf(find);
      expect(at % 2, `${find} in ${hex}`).toBe(0);
      const changed = hex.slice(0, at) + to + hex.slice(at + to.length);
      return { ...t, host: { ...t.host, code: Buffer.from(changed, "hex") } };
    };

  test("as it is", async (ctx) => {
    const all = await verdicts(await needQemu(ctx), (t) => t);
    expect(new Set(Object.values(all))).toEqual(new Set(["proved"]));
    expect(Object.keys(all).map((name) => name.split("/")[0])).toEqual(
      expect.arrayContaining(["commute", "materialize"]),
    );
  });

  test("with the guest's addresses elsewhere, and an access that forgets it", async (ctx) => {
    const opened = await needQemu(ctx, "guest-base");
    expect(new Set(Object.values(await verdicts(opened, (t) => t)))).toEqual(new Set(["proved"]));
    // mov r12, gs:[r12], with a prefix that means nothing in place of gs.
    const unbased = await verdicts(opened, patch("654d8b2424", "3e4d8b2424"));
    expect(Object.values(unbased)).toContain("refuted trap");
  });

  test("of F and D, and a single that is not boxed", async (ctx) => {
    const opened = await needQemu(ctx, "rv64u_fd");
    const moves = "flw fa0, 0(a0); fsgnjn.s fa1, fa0, fa2; fmv.x.w a1, fa1; fsd fa1, 8(a0); jal ra, . + 16";
    const right = await verdicts(opened, (t) => t, moves);
    expect(new Set(Object.values(right))).toEqual(new Set(["proved"]));
    const unboxed = await verdicts(opened, patch("4d0be5", "4d8be4"), moves);
    expect(Object.values(unboxed)).toContain("refuted x[11]");
  });

  test.for<[string, string, (t: Translation) => Translation]>([
    ["a missing sign extension", "x[10]", patch("4863db", "488bdb")],
    ["another register's place", "x[9]", patch("48895d50", "48895d48")],
    ["a wrong return address", "x[1]", patch("48c74508", "48c74510")],
    ["a wrong program counter", "pc", patch("48c785301300001c", "48c7853013000018")],
    [
      "a fault map off by one instruction",
      "x[10]",
      (t) => ({ ...t, faults: t.faults.map((f) => (f.guest === AT + 4n ? { ...f, guest: AT } : f)) }),
    ],
    ["no fault map", "fault map", (t) => ({ ...t, faults: [] })],
    [
      "an interrupt taken behind the block for one before it",
      "x[1]",
      (t) => ({ ...t, exits: t.exits.map((e) => ({ ...e, interrupt: true, guest: AT })) }),
    ],
  ])("%s", async ([, variable, change], ctx) => {
    const all = Object.values(await verdicts(await needQemu(ctx), change));
    expect(all).toContain(`refuted ${variable}`);
  });
});
