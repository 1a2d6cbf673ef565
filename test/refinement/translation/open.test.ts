/** What a translator answers for all operands at once: proved as it is, refuted or refused with a mistake in it. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { BlockTranslator } from "../../../impl/translator/block.js";
import { immediate, memory, register } from "../../../impl/translator/code.js";
import { DESIGN, type Design } from "../../../impl/translator/design.js";
import { FAULTS, withFault } from "../../../impl/translator/faults/index.js";
import type { Rule } from "../../../impl/translator/rules/rule.js";
import { decodeX86, disassembleX86 } from "../../../refinement/assembly/x86/index.js";
import { runCampaign } from "../../../refinement/campaign/campaign.js";
import { defaultOptions } from "../../../refinement/campaign/options.js";
import { Solvers } from "../../../refinement/campaign/discharge.js";
import { validateOpenBlock } from "../../../refinement/campaign/open-blocks.js";
import type { Settled } from "../../../refinement/campaign/report.js";
import type { TranslatorRefinement } from "../../../refinement/refinement.js";
import { add, constant, extract, sext } from "../../../refinement/terms/build.js";
import type { OpenBlock } from "../../../refinement/translation/open-block.js";
import { openBlocksOf } from "../../../refinement/translation/open-sweep.js";
import { type Decisions, fitsSigned, signExtended } from "../../../refinement/translation/quantity.js";
import { replayBlock } from "../../../refinement/translation/replay.js";
import type {
  OpenAnswer,
  OpenRequest,
  OpenTranslation,
  OpenTranslator,
  TranslationAnswer,
  Translator,
} from "../../../refinement/translation.js";
import { loadRefinement } from "../../../spec/notation/index.js";

const FILE = path.resolve("impl/translator/refinement.yaml");
const ORIGIN = 0x7f00_0000_0000n;
const refinement = await loaded();
const solvers = new Solvers("auto", undefined);
afterAll(() => solvers.close());

async function loaded(fault?: string): Promise<TranslatorRefinement> {
  const found = await loadRefinement(FILE, fault === undefined ? {} : { fault });
  if (found.form !== "translator") throw new Error("no translator's refinement");
  return found;
}

/** The translator of this design; `change` is made to what it answers for all operands. */
function translatorOf(design: Design, change: (translate: OpenTranslator["translate"]) => OpenTranslator["translate"]) {
  const { guest } = refinement;
  if (guest.instructionSet === undefined) throw new Error("the guest has no instructions");
  const blocks = new BlockTranslator(guest, guest.instructionSet, design);
  const translator: Translator = {
    async *translate(requests): AsyncGenerator<TranslationAnswer> {
      for (const { pc, code } of requests) {
        const block = blocks.translate(pc, code, ORIGIN);
        yield block.kind === "translated" ? { kind: "translated", translation: block.translation } : block;
      }
    },
    open: { translate: change((request) => blocks.translateOpen(request, ORIGIN)), together: [] },
    identity: "",
    close: async () => undefined,
  };
  return translator;
}

async function settle(
  block: OpenBlock,
  design: Design = DESIGN,
  change: (translate: OpenTranslator["translate"]) => OpenTranslator["translate"] = (translate) => translate,
): Promise<readonly Settled[]> {
  return settleBy(translatorOf(design, change), block);
}

async function settleBy(translator: Translator, block: OpenBlock): Promise<readonly Settled[]> {
  const tools = { decode: decodeX86, disassemble: disassembleX86 };
  return validateOpenBlock(refinement, translator, block, tools, {
    name: "translator",
    seed: 1,
    timeoutMs: 20_000,
    memoryMb: 512,
    signal: undefined,
    date: "2026-11-27",
    solver: () => solvers.get(),
  });
}

function single(name: string, registers: Readonly<Record<string, string | number>>): OpenBlock {
  return { name, place: "low", instructions: [{ name, registers }] };
}

function sequence(...instructions: OpenBlock["instructions"]): OpenBlock {
  return { name: instructions.map((i) => i.name).join("; "), place: "low", instructions, upper: [] };
}

const kinds = (settled: readonly Settled[]): readonly string[] =>
  settled.map(({ obligation, verdict: v }) => {
    const by = v.verdict === "proved" || v.verdict === "refuted" || v.verdict === "unknown" ? ` ${v.by}` : "";
    return `${obligation} ${v.verdict}${by}`;
  });

test.each<[string, OpenBlock]>([
  ["an immediate that is zero, short or long", single("addi", { rd: "a", rs1: "b" })],
  ["an immediate that is not zero", single("c.addi", { rd: "a" })],
  ["one that is added to a known number", single("auipc", { rd: "a" })],
  ["a displacement", single("lw", { rd: "a", rs1: "a" })],
  ["a shift by any number", single("sraiw", { rd: "a", rs1: "b", shamt: "c" })],
  ["a target", single("bltu", { rs1: "a", rs2: 0 })],
  ["a target wherever the block stands", { ...single("jal", { rd: 1 }), place: "any" }],
  ["a fixed register that may be meant by another", single("c.jalr", { rs1: 1 })],
  [
    "any address that fits into no immediate",
    { ...single("amoadd.w", { rd: "a", rs1: "b", rs2: "c" }), place: "high" },
  ],
  ["a division", single("div", { rd: "a", rs1: "b", rs2: "a" })],
  [
    "an address of two numbers, folded",
    sequence({ name: "lui", registers: { rd: "a" } }, { name: "ld", registers: { rd: "b", rs1: "a" } }),
  ],
])("%s: proved for every value by rewriting", { timeout: 60_000 }, async (_, block) => {
  const settled = await settle(block);
  expect(settled.length).toBeGreaterThan(1);
  expect(settled.map((s) => s.verdict.verdict)).toEqual(settled.map(() => "proved"));
  // That something cannot come about may be the solver's to say.
  const arising = settled.filter(({ obligation }) => !obligation.endsWith("/never"));
  expect(kinds(arising)).toEqual(arising.map(({ obligation }) => `${obligation} proved rewrite`));
  for (const { paths, coverage } of settled) {
    expect(paths).toBeGreaterThan(0);
    expect(coverage).toContain({ any: "at every pc", low: "below 2^30", high: "from 2^33 to 2^62" }[block.place]);
  }
});

/** Short form for an immediate that has a bit more than it has room for. */
const oneBitTooFew: Rule = (e) => {
  const offset = e.operands.signed("imm");
  const a = e.registers.read(e.rs1);
  const displacement = fitsSigned(offset, 9) ? signExtended(offset, 8) : offset;
  e.result((d) => e.code.emit("lea", register(d), memory({ base: a, displacement }, 0)));
};

/** One register is treated in a way of its own: nobody can ask which it is, but for where it is kept. */
const byPlace: Rule = (e) => {
  const a = e.registers.read(e.rs1);
  const { displacement } = e.rs1.place;
  e.result((d) => {
    e.move(d, a);
    e.code.emit("xor", register(d), immediate(fitsSigned(displacement, 8) ? e.operands.signed("imm") : 0n));
  });
};

test.each<[string, Partial<Design>, OpenBlock]>([
  [
    "a number taken to fit that has a bit too many",
    { rules: { ...DESIGN.rules, addi: oneBitTooFew } },
    single("addi", { rd: "a", rs1: "b" }),
  ],
  [
    "registers in the upper half treated otherwise",
    { rules: { ...DESIGN.rules, xori: byPlace } },
    single("xori", { rd: "a", rs1: "b" }),
  ],
  ["displacement-cut", withFault(FAULTS["displacement-cut"] ?? {}), single("lw", { rd: "a", rs1: "b" })],
  ["constant-cut", withFault(FAULTS["constant-cut"] ?? {}), { ...single("auipc", { rd: 1 }), place: "any" }],
  [
    "folded-address-unsigned",
    withFault(FAULTS["folded-address-unsigned"] ?? {}),
    sequence(
      { name: "lui", registers: { rd: "a" } },
      { name: "addi", registers: { rd: "a", rs1: "a" } },
      { name: "addi", registers: { rd: "a", rs1: "a" } },
      { name: "ld", registers: { rd: "b", rs1: "a" } },
    ),
  ],
  [
    "x0-written",
    withFault(FAULTS["x0-written"] ?? {}),
    sequence(
      { name: "add", registers: { rd: 0, rs1: "a", rs2: "b" } },
      { name: "add", registers: { rd: "a", rs1: 0, rs2: "b" } },
    ),
  ],
])("%s is refuted by operands that show it", { timeout: 60_000 }, async (name, parts, block) => {
  const settled = await settle(block, { ...DESIGN, ...parts });
  const refuted = settled.flatMap(({ verdict: v }) => (v.verdict === "refuted" ? [v.counterexample] : []));
  expect(kinds(settled).filter((k) => / unknown | vacuous/.test(k))).toEqual([]);
  const [found] = refuted;
  if (found === undefined) throw new Error(`nothing is refuted: ${kinds(settled).join(", ")}`);
  if (FAULTS[name] === undefined) return;
  // Saved and run again, with the fault and without.
  const broken = await replayBlock(await loaded(name), found, decodeX86);
  expect(broken.map((v) => v.obligation)).toContain(found.obligation);
  expect(await replayBlock(refinement, found, decodeX86)).toEqual([]);
});

/** Changes what is written for one path. */
function rewritten(change: (t: OpenTranslation) => OpenTranslation) {
  return (translate: OpenTranslator["translate"]) =>
    (request: OpenRequest): OpenAnswer => {
      const answer = translate(request);
      return answer.kind === "translated"
        ? { kind: "translated", translation: (values) => change(answer.translation(values)) }
        : answer;
    };
}

const holes = (change: (h: OpenTranslation["holes"][number]) => OpenTranslation["holes"][number]) =>
  rewritten((t) => ({ ...t, holes: t.holes.map(change) }));

/** Asks once, and takes the answer for the one to all later questions. */
function remembering(translate: OpenTranslator["translate"]): OpenTranslator["translate"] {
  const known = new Map<unknown, boolean>();
  return ({ decisions, ...request }) => {
    const within: Decisions["within"] = (term, range, narrow) => {
      const answer = known.get(narrow) ?? decisions.within(term, range, narrow);
      known.set(narrow, answer);
      return answer;
    };
    return translate({ ...request, decisions: { within } });
  };
}

test.each<[string, RegExp, (translate: OpenTranslator["translate"]) => OpenTranslator["translate"]]>([
  [
    "a hole that holds less than the number",
    /is not what it answers for/,
    holes((h) => ({ ...h, value: sext(extract(h.value, 6, 0), 64) })),
  ],
  [
    "a hole that holds another number",
    /is not what it answers for/,
    holes((h) => ({ ...h, value: add(h.value, constant(64, 1n)) })),
  ],
  [
    "a hole beside the number",
    /are no number of the instruction|is not what it answers for/,
    holes((h) => ({ ...h, at: h.at - 1 })),
  ],
  ["no hole", /is not what it answers for/, rewritten((t) => ({ ...t, holes: [] }))],
  [
    "an exit for another address",
    /is not what it answers for/,
    rewritten((t) => ({ ...t, exits: t.exits.map((e) => ({ ...e, guest: constant(64, 0x1_0004n) })) })),
  ],
  ["one path for all operands", /is not what it answers for|answers the same questions otherwise/, remembering],
])("%s is refused", { timeout: 60_000 }, async (_, reason, change) => {
  const settled = await settle(single("addi", { rd: "a", rs1: "b" }), DESIGN, change);
  const [first] = settled;
  expect(settled).toHaveLength(1);
  expect(first?.verdict).toMatchObject({ verdict: "unknown", reason: expect.stringMatching(reason) });
});

test("a translator that fails at some operands costs that block, by its words", async () => {
  const settled = await settle(single("addi", { rd: "a", rs1: "b" }), DESIGN, () => () => {
    throw new Error("out of registers");
  });
  expect(settled.map((s) => [s.obligation, s.verdict])).toEqual([
    ["commute/addi", { verdict: "unknown", by: "translator", reason: "out of registers" }],
  ]);
});

test("and so does one that fails at single ones", async () => {
  const block = single("addi", { rd: "a", rs1: "b" });
  const translator = translatorOf(DESIGN, (translate) => translate);
  const failing: Translator = {
    ...translator,
    // biome-ignore lint/correctness/useYield: it comes to no answer
    async *translate() {
      throw new Error("out of memory");
    },
  };
  const settled = await settleBy(failing, block);
  expect(settled.map((s) => s.verdict)).toEqual([{ verdict: "unknown", by: "translator", reason: "out of memory" }]);
});

test("a campaign proves the blocks that are asked for, and knows them the next time", {
  timeout: 120_000,
}, async () => {
  const cacheDir = await mkdtemp(path.join(os.tmpdir(), "commute-open-test-"));
  try {
    const only = ["commute/c.lui a, imm*", "commute/c.nop*"];
    const check = async (): Promise<readonly (readonly [string, string, boolean])[]> => {
      const { report } = await runCampaign([FILE], { ...defaultOptions(), modes: ["prove"], only, cacheDir });
      return report.refinements.flatMap((r) =>
        r.obligations.map((o) => [o.name, o.verdict, o.cached === true] as const),
      );
    };
    const first = await check();
    expect(first.length).toBeGreaterThan(3);
    expect(first).toEqual(first.map(([name]) => [name, "proved", false]));
    expect(await check()).toEqual(first.map(([name]) => [name, "proved", true]));
  } finally {
    await rm(cacheDir, { recursive: true });
  }
});

test("the sweep has every instruction, and its registers in every class that its encoding allows", () => {
  const { guest } = refinement;
  const blocks = openBlocksOf(guest, ["lui", "ld", "beq"], 1);
  expect(new Set(blocks.map((b) => b.name)).size).toBe(blocks.length);
  const singles = blocks.filter((b) => b.instructions.length === 1 && b.place === "low");
  const named = new Set(singles.map((b) => b.instructions[0]?.name));
  expect([...named].sort()).toEqual(guest.instructionSet?.instructions.map((i) => i.name).sort());
  const classes = (name: string): number => singles.filter((b) => b.instructions[0]?.name === name).length;
  // Three registers, each x0 or not and equal to others or not; two; two of which one is not x0.
  expect([classes("add"), classes("lw"), classes("c.mv"), classes("ecall")]).toEqual([15, 5, 2 + 1, 1]);
  const sequences = blocks.filter((b) => b.instructions.length > 1);
  expect(sequences.every((b) => b.instructions.slice(0, -1).every((i) => i.name !== "beq"))).toBe(true);
});
