/** Each finding of impl/qemu-lockstep/findings.yaml, seen: QEMU departs from the definition, and the case is left out. */
import path from "node:path";
import { expect, test } from "vitest";
import factory from "../../../impl/qemu-lockstep/emulator.js";
import { versionOf } from "../../../impl/shared/programs.js";
import { Cases } from "../../../properties/emulator-cases.js";
import { differsFrom } from "../../../properties/emulator-compare.js";
import { stepGuest } from "../../../properties/emulator-step.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import { FileValue } from "../../../refinement/terms/value.js";
import { readFindings } from "../../../validation/files.js";
import { FOLDER, needQemu } from "./need-qemu.js";
import { moduleOptions, stateOf } from "../../emulation.js";

/** By name: a word, where it stands, and x[2]. `until` is the version of QEMU that does right. */
const SEEN: Readonly<Record<string, { word: bigint; pc: bigint; sp: bigint; differs: string; until?: number }>> = {
  "ctzw-of-64-bits": { word: 0x6011109bn, pc: 0x10000000n, sp: 1n << 33n, differs: "x[1]", until: 8 },
  "sc-misaligned": { word: 0x180120afn, pc: 0x10000000n, sp: 0x20000001n, differs: "trap" },
  "c.ebreak-at-the-end-of-a-page": { word: 0x9002n, pc: 0x10001ffan, sp: 0n, differs: "trap" },
  "whole-vector-registers-without-v": { word: 0x62810e27n, pc: 0x10000000n, sp: 0x10n, differs: "trap" },
};

test("every finding is shown here", async () => {
  const findings = await readFindings(path.join(FOLDER, "findings.yaml"));
  expect(findings.map((f) => f.name)).toEqual(Object.keys(SEEN));
});

test.for(Object.entries(SEEN))("%s", async ([, { word, pc, sp, differs, until }], ctx) => {
  const refinement = await needQemu(ctx, "refinement-rv64u");
  const { guest } = refinement;
  const opened = await factory(guest, moduleOptions(refinement), FOLDER);
  if ("missing" in opened) return expect.fail("it is missing");
  const { emulator } = opened;
  const { room } = emulator;
  if (room === undefined) return expect.fail("it runs no cases");
  const x = new FileValue(Array.from({ length: 32 }, (_, i) => (i === 2 ? sp : 0n)));
  const registers = new Map([...zeroState(guest)].filter(([v]) => v !== "pc" && v !== "mem")).set("x", x);
  const of = new Cases(guest, room).assemble(pc, word, registers);
  const version = Number(/version (\d+)/.exec(await versionOf("qemu-riscv64"))?.[1]);
  const wrong = until === undefined || version < until;
  if (wrong) expect(room.cost(of.state)).toBe("impossible");
  for await (const seen of emulator.execute([of], new AbortController().signal)) {
    const shown = stateOf(seen);
    const expected = stepGuest(guest, of.state, shown);
    const found = differsFrom(guest, expected?.state ?? of.state, shown).map((d) => d.variable);
    if (wrong) expect(found).toContain(differs);
    else expect(found).toEqual([]);
  }
  await emulator.close();
});
