/** Each seeded fault of the translator is refuted where its description says, by a counterexample that replays; without it the same blocks are proved. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULTS } from "../../../impl/translator/faults/index.js";
import { decodeX86 } from "../../../refinement/assembly/x86/index.js";
import { runCampaign } from "../../../refinement/campaign/campaign.js";
import { defaultOptions, matches } from "../../../refinement/campaign/options.js";
import { disassembleX86 } from "../../../refinement/assembly/x86/index.js";
import { validateBlock } from "../../../refinement/campaign/blocks.js";
import { Solvers } from "../../../refinement/campaign/discharge.js";
import type { Counterexample } from "../../../refinement/counterexample.js";
import type { Fault, TranslatorRefinement } from "../../../refinement/refinement.js";
import { replayFile } from "../../../refinement/replay.js";
import { openTranslator } from "../../../refinement/translation/open.js";
import { showing } from "../../../refinement/translation/sweep.js";
import type { Exit, GuestBlock, Translation } from "../../../refinement/translation.js";
import { loadRefinement } from "../../../spec/notation/index.js";

const FILE = path.resolve("impl/translator/refinement.yaml");
const right = await loaded();
let folder = "";

async function loaded(): Promise<TranslatorRefinement> {
  const refinement = await loadRefinement(FILE);
  if (refinement.form !== "translator") throw new Error("it is no translator");
  return refinement;
}

/** A translator's fault changes neither machine: they need not be read again. Named after the fault, for the files' sake. */
function withFault(fault: string | undefined): TranslatorRefinement {
  return { ...right, fault, name: fault ?? right.name };
}

async function translationsOf(
  fault: string | undefined,
  blocks: readonly GuestBlock[],
): Promise<readonly Translation[]> {
  const opened = await openTranslator(withFault(fault));
  if ("missing" in opened) throw new Error("the translator is missing");
  const translations: Translation[] = [];
  for await (const answer of opened.translator.translate(blocks, new AbortController().signal)) {
    if (answer.kind !== "translated") throw new Error(JSON.stringify(answer));
    translations.push(answer.translation);
  }
  return translations;
}

/** Counterexamples by fault. */
let found: ReadonlyMap<string, readonly Counterexample[]> = new Map();

/** All faults in one campaign, which takes each for a refinement file. */
async function checkAll(): Promise<typeof found> {
  const options = {
    ...defaultOptions(),
    timeoutMs: 1000,
    // As a source, whose terms are those of this thread.
    testers: { machine: undefined, emulator: undefined, translator: path.resolve("cli/translator-tester.ts") },
    saveDir: folder,
    load: async (name: string, fault: string | undefined) => withFault(fault ?? name),
  };
  const names = right.faults.map((f) => f.name);
  const { findings } = await runCampaign(names, options);
  return new Map(names.map((n) => [n, findings.filter((f) => f.refinement === n).map((f) => f.counterexample)]));
}

/** Where the counterexample goes wrong, a fault or an interrupt has been taken, or ought to have been. */
async function isSeenByTraps(fault: Fault, { obligation, differs }: Counterexample): Promise<boolean> {
  if (/^(materialize|lockstep)\//.test(obligation) || differs.some((d) => d.variable === "trap")) return true;
  const block = showing(right.guest, fault).find((b) => obligation.startsWith(`commute/${b.name}/`));
  const [translation] = block === undefined ? [] : await translationsOf(fault.name, [block]);
  const isThere = (e: Exit): boolean =>
    obligation.endsWith(`exit+${(e.host - (translation?.host.address ?? 0n)).toString(16)}`);
  const exit = translation?.exits.find(isThere);
  return exit !== undefined && (exit.interrupt || exit.trap !== undefined);
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "commute-faults-"));
  found = await checkAll();
}, 300_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("what is planted is found", () => {
  for (const fault of right.faults) {
    test(fault.name, async () => {
      const own = found.get(fault.name) ?? [];
      const { obligation, variable = "*" } = fault;
      const expected = own.filter(
        (c) => matches(obligation, c.obligation) && c.differs.some((d) => matches(variable, d.variable)),
      );
      expect(expected, JSON.stringify(own.map((c) => [c.obligation, c.cause.variable]))).not.toEqual([]);
      if (fault.materialization) for (const c of own) expect(await isSeenByTraps(fault, c), c.obligation).toBe(true);
      const all = await readdir(path.join(folder, fault.name), { recursive: true });
      const files = all.filter((file) => file.endsWith(".yaml")).map((file) => path.join(folder, fault.name, file));
      expect(files).not.toEqual([]);
      for (const file of files) {
        const replayed = await replayFile(file, { load: async (_, name) => withFault(name) });
        expect(replayed).toMatchObject({ got: "refuted", ok: true });
        const mended = await replayFile(file, { load: async () => withFault(undefined) });
        expect(mended).toMatchObject({ got: "holds", ok: false });
      }
    });
  }
});

test("what is planted is described, and the other way round", () => {
  expect(right.faults.map((f) => f.name).sort()).toEqual(Object.keys(FAULTS).sort());
  expect(right.faults.length).toBeGreaterThanOrEqual(20);
  expect(right.faults.filter((f) => f.materialization).length).toBeGreaterThanOrEqual(6);
});

test("without a fault the same blocks are proved", { timeout: 120_000 }, async () => {
  const blocks = [...new Map(right.faults.flatMap((f) => showing(right.guest, f)).map((b) => [b.name, b])).values()];
  const translations = await translationsOf(undefined, blocks);
  const solvers = new Solvers("auto", undefined);
  const inquiry = {
    name: "translator",
    seed: 42,
    timeoutMs: 10_000,
    memoryMb: 2048,
    date: "",
    signal: undefined,
    solver: () => solvers.get(),
  };
  for (const [i, block] of blocks.entries()) {
    const translation = translations[i];
    if (translation === undefined) throw new Error(`no translation of ${block.name}`);
    const tools = { decode: decodeX86, disassemble: disassembleX86 };
    const settled = await validateBlock(right, block, translation, tools, inquiry);
    for (const { obligation, verdict } of settled)
      expect([obligation, verdict.verdict]).toEqual([obligation, "proved"]);
  }
  await solvers.close();
});
