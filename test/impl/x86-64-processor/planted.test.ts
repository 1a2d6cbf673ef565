/** That the validation can fail: slips planted into every block of the definition are noticed on the processor. */
import path from "node:path";
import { expect, type TestContext, test } from "vitest";
import { compareAll } from "../../../properties/emulator-compare.js";
import { type EmulatedGuest, withGuest } from "../../../properties/emulator-guest.js";
import { randomAt } from "../../../properties/random.js";
import type { CaseRoom, Emulator, EmulatorCase } from "../../../refinement/emulator.js";
import type { Machine } from "../../../refinement/machine.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { withSlip } from "../../edited-files.js";
import { planted } from "./mutants.js";
import { needProcessor, openProcessor } from "./need-processor.js";
import { run, trapOf } from "./single.js";

/** Later rounds plant further slips, in fewer blocks each. */
const ROUNDS = 3;
const MOST_CASES = 1200;
const BATCH = 60;

/** How many cases of the block it takes until one goes wrong; undefined where none of so many does. */
async function casesUntilWrong<C extends EmulatorCase>(
  guest: EmulatedGuest<C>,
  emulator: Emulator & { readonly room: CaseRoom },
  subject: string,
): Promise<number | undefined> {
  const index = guest.subjects.indexOf(subject);
  let run = 0;
  for (let n = 0; run < MOST_CASES && n < 20 * MOST_CASES; ) {
    const batch: C[] = [];
    for (; batch.length < BATCH && n < 20 * MOST_CASES; n++) {
      const drawn = guest.draw(subject, (...at) => randomAt(7, index, ...at), n);
      if (drawn !== undefined && emulator.room.cost(drawn.state) === "cheap") batch.push(drawn);
    }
    for await (const { differs, transition } of compareAll(guest, emulator, batch, new AbortController().signal)) {
      run++;
      if (differs.length > 0 && transition === subject) return run;
    }
  }
  return undefined;
}

/** Slips that change nothing, or nothing that a processor could contradict. */
const UNSEEN: Readonly<Record<string, string>> = {
  "bswap_16: writes the complement": "the result is undefined: any is permitted",
  "enter: adds for subtracts": "in the check that an address is canonical; the access behind it is right",
  ...Object.fromEntries(
    ["syscall", "int3", "ud2", "hlt", "cli", "sti"].map((name) => [
      `${name}: writes another register as well`,
      "behind a raise, which undoes it",
    ]),
  ),
};

/** That the target is looked at before the stack is, which the definition permits, shows only where a processor does so. */
const TARGET_FIRST = "call_indirect: raises another exception";

/** What the manual calls undefined of a division's flags shows only where a processor changes them. */
const KEPT_FLAGS: readonly string[] = ["div: forgets the flags", "idiv: forgets the flags"];

async function keepsFlags(ctx: TestContext): Promise<boolean> {
  const names = ["CF", "PF", "AF", "ZF", "SF", "OF"];
  for (const set of [0n, 1n])
    for (const rax of [0n, 6n, 0x8000_0000n]) {
      const flags = Object.fromEntries(names.map((name) => [name, set]));
      const after = await run(ctx, "div rcx", { rax, rcx: 3n, ...flags });
      if (names.some((name) => after.get(name) !== set)) return false;
    }
  return true;
}

/** A call to a target that is not canonical, its stack out of reach: which fault does this processor raise? */
test("the order in which an indirect call meets its faults is the processor's own", {
  timeout: 120_000,
}, async (ctx) => {
  for (const rsp of [0x1234_5000n, 0x3000_0800n])
    expect(["page_fault_write", "general_protection"]).toContain(
      await trapOf(ctx, "call rax", { rax: 1n << 63n, rsp }),
    );
  expect(await trapOf(ctx, "call rax", { rax: 1n << 63n, rsp: 0x2000_0800n })).toBe("general_protection");
});

test.for(Array.from({ length: ROUNDS }, (_, round) => round))(
  "wrong definitions, round %i",
  { timeout: 600_000 },
  async (round, ctx) => {
    const blocks = (await needProcessor(ctx)).guest.decoded?.blocks.map((b) => b.name) ?? [];
    const fault = await trapOf(ctx, "call rax", { rax: 1n << 63n, rsp: 0x1234_5000n });
    const { files, wrong } = planted(round);
    const guest = await loadMachine(path.resolve("spec/x86-64/x86-64.yaml"), { files });
    if (round === 0) expect(blocks.filter((name) => !wrong.has(name))).toEqual([]);
    const survivors = (await survive(ctx, guest, [...wrong.keys()])).map((name) => `${name}: ${wrong.get(name)}`);
    const keeps = await keepsFlags(ctx);
    const unseen = (s: string): boolean =>
      UNSEEN[s] !== undefined ||
      (s === TARGET_FIRST && fault === "page_fault_write") ||
      (keeps && KEPT_FLAGS.includes(s));
    expect(survivors.filter((s) => !unseen(s))).toEqual([]);
  },
);

/** Those of the blocks of which no case goes wrong. */
async function survive(ctx: TestContext, guest: Machine, blocks: readonly string[]): Promise<readonly string[]> {
  const emulator = await openProcessor(ctx, guest);
  const survivors: string[] = [];
  try {
    await withGuest(guest, emulator.room, async (emulated) => {
      for (const name of blocks)
        if ((await casesUntilWrong(emulated, emulator, name)) === undefined) survivors.push(name);
    });
  } finally {
    await emulator.close();
  }
  return survivors;
}

/** Slips in the functions that blocks share: file, what stands there once, what is written instead, a block in which it shows. */
const SHARED: readonly (readonly [file: string, right: string, wrong: string, block: string])[] = [
  ["core", "N == 32 { zext(value) }", "N == 32 { old[63:32] ++ value[31:0] }", "mov"],
  ["core", "else { old[63:N] ++ value }", "else { zext(value) }", "movzx"],
  ["core", "let top = rsp - N /u 8", "let top = rsp - 8", "push"],
  ["core", "rsp = top", "rsp = top - 8", "enter"],
  ["core", "16'h9669", "16'h6996", "cmp"],
  ["core", "SF = result <s 0\n    PF", "SF = result >=s 0\n    PF", "test"],
  ["core", "bool((a ^ b ^ result)[4])", "bool((a ^ b ^ result)[3])", "sub"],
  ["core", "CF = carry ? r <=u a : r <u a", "CF = r <u a", "adc"],
  ["core", "((a ^ r) & (b ^ r)) <s 0", "((a ^ r) | (b ^ r)) <s 0", "add"],
  ["core", "CF = a <u b\n", "CF = a <=u b\n", "sub"],
  ["core", "(a <s b) != (r <s 0)", "(a <u b) != (r <s 0)", "cmpxchg"],
  ["core", "zext(value[31:0])", "value", "loop"],
  ["core", "ZF || SF != OF", "ZF && SF != OF", "jle"],
  ["core", "bits(OF) ++ bits(DF)", "bits(DF) ++ bits(OF)", "pushf"],
  ["core", "NT = bool(value[14])", "NT = bool(value[13])", "popf"],
  ["core", "if stack { raise stack_fault }", "if stack { raise general_protection }", "pop"],
  ["arithmetic", "set_rax(remainder ++ quotient)", "set_rax(quotient ++ remainder)", "div"],
  [
    "arithmetic",
    "CF = carry\n    OF = carry\n    undefined_SF",
    "CF = carry\n    OF = !carry\n    undefined_SF",
    "mul",
  ],
  ["bits", "bit >>s 5, 64) << 2", "bit >>u 5, 64) << 2", "bt_memory"],
  ["bits", "ZF = count == 0", "ZF = a == 0", "lzcnt"],
  [
    "bits",
    'count = count + (32 >>u i)\n        }\n      }\n    }\n    value == 0 ? N : count\n  "leading',
    'count = count + (16 >>u i)\n        }\n      }\n    }\n    value == 0 ? N : count\n  "leading',
    "bsf",
  ],
  ["bits", "8'h33, value)) + ((pairs", "8'h33, value)) | ((pairs", "popcnt"],
  ["logic", "count & 63 } else { count & 31 }", "count & 31 } else { count & 31 }", "shl"],
  ["logic", "count %u (N + 1)", "count %u N", "rcl"],
  ["logic", "if count == 1 { OF = (a <s 0)", "if count == 1 { OF = (a >=s 0)", "shld"],
  ["move", "N == 32 { value[7:0] ++ value[15:8]", "N == 32 { value[15:8] ++ value[7:0]", "bswap"],
  ["string", "DF ? pointer - (bits", "DF ? pointer + (bits", "stos"],
  ["string", "again && !empty(left, size)", "again", "movs"],
];

test("slips in shared functions are found", { timeout: 600_000 }, async (ctx) => {
  const { guest: right } = await needProcessor(ctx);
  const blocks = new Set(right.decoded?.blocks.map((b) => b.name));
  expect(SHARED.filter(([, , , block]) => !blocks.has(block))).toEqual([]);
  const survivors: string[] = [];
  for (const [file, from, to, block] of SHARED) {
    const files = withSlip(`x86-64/${file}.yaml`, from, to);
    const guest = await loadMachine(path.resolve("spec/x86-64/x86-64.yaml"), { files });
    survivors.push(...(await survive(ctx, guest, [block])).map((name) => `${name}: ${from} → ${to}`));
  }
  expect(survivors).toEqual([]);
});
