/** Every finding is found again, and shown by a run. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test, type TestContext } from "vitest";
import { parse } from "yaml";
import { writeElf } from "../../../impl/qemu/elf.js";
import { withExecutable } from "../../../impl/qemu/qemu-log.js";
import { runBlock } from "../../../impl/qemu/run-block.js";
import { findProgram, versionOf } from "../../../impl/shared/programs.js";
import { disassembleX86 } from "../../../refinement/assembly/x86/index.js";
import type { Translation } from "../../../refinement/translation.js";
import { hostText } from "../../../refinement/translation/listing.js";
import { loadRefinement } from "../../../spec/notation/index.js";
import { answersOf, FOLDER, needQemu, type Opened, type Variant } from "./need-qemu.js";
import { validate } from "./validate.js";

interface Finding {
  readonly name: string;
  readonly refinement: string;
  readonly "seen-in": readonly string[];
  readonly guest: { readonly pc: number; readonly code: string };
  readonly host: readonly string[];
  readonly cause: { readonly obligation: string; readonly variable: string };
}

/** Run from a state, under user-mode QEMU. */
interface Refuted extends Finding {
  readonly run: {
    /** Where more is run than the block itself. */
    readonly code?: string;
    readonly before: Readonly<Record<string, number>>;
    readonly memory?: { readonly address: number; readonly bytes: string };
    /** What QEMU shows besides, and the manual has nothing against by itself. */
    readonly also?: Readonly<Record<string, number>>;
    readonly variable: string;
    /** A value, or the name of a trap. */
    readonly manual: number | string;
    readonly qemu: number;
  };
}

/** Of something that user mode does not show: a bare-metal program, and what mtval is in its first trap. */
interface Shown extends Finding {
  readonly "system-run": {
    readonly address: number;
    readonly words: readonly number[];
    readonly cause: number;
    readonly manual: number;
    readonly qemu: number;
  };
}

const file: { readonly findings: readonly (Refuted | Shown)[] } = parse(
  readFileSync(path.join(FOLDER, "findings.yaml"), "utf8"),
);

const VARIANTS: Readonly<Record<string, Variant>> = { qemu: ".", "qemu-rv64imac_zba_zbb": "rv64imac_zba_zbb" };

/** Skips where the finding is not known to be in the installed version. */
async function needVersion(ctx: TestContext, finding: Finding): Promise<Opened> {
  const opened = await needQemu(ctx, VARIANTS[finding.refinement]);
  const version = await versionOf(opened.program);
  if (!finding["seen-in"].some((v) => version.includes(`version ${v} `)))
    ctx.skip(`seen in QEMU ${finding["seen-in"].join(", ")}; this is ${version}`);
  return opened;
}

const indexOf = (name: string): number => Number(/^x\[(\d+)\]$/.exec(name)?.[1]);
const blockOf = ({ name, guest }: Finding): { name: string; pc: bigint; code: Uint8Array } => ({
  name,
  pc: BigInt(guest.pc),
  code: Buffer.from(guest.code, "hex"),
});

/** The block leaves the guest with another pc than that behind it, or where it always traps than its own. */
function elsewhere(translation: Translation, { pc, code }: { pc: bigint; code: Uint8Array }): Translation {
  const bytes = Buffer.from(translation.host.code);
  const placesOf = (told: number): readonly [number, number, number] => {
    const number = Buffer.from(Uint32Array.of(told).buffer);
    return [told, bytes.indexOf(number), bytes.lastIndexOf(number)];
  };
  const behind = placesOf(Number(pc) + code.length);
  const [told, at, last] = behind[1] < 0 ? placesOf(Number(pc)) : behind;
  expect(last).toBe(at);
  bytes.writeUInt32LE(told - 4, at);
  return { ...translation, host: { ...translation.host, code: bytes } };
}

test("the guest that departs as QEMU does departs in what was examined, and in nothing else", async () => {
  for (const [name, folder] of Object.entries(VARIANTS)) {
    const refinement = await loadRefinement(path.join(FOLDER, folder, "refinement.yaml"));
    const examined = file.findings.filter((f) => f.refinement === name && "cause" in f).map((f) => f.name);
    expect(refinement.form === "translator" ? [...(refinement.known?.findings.keys() ?? [])] : []).toEqual(examined);
  }
});

describe.each(file.findings)("$name", (finding) => {
  test("has that host code", async (ctx) => {
    const { translator } = await needVersion(ctx, finding);
    const [answer] = await answersOf(translator, [blockOf(finding)]);
    if (answer?.kind !== "translated") throw new Error(`not translated: ${JSON.stringify(answer)}`);
    const { assembly } = hostText(answer.translation.host, disassembleX86);
    const from = assembly.indexOf(finding.host[0] ?? "");
    expect(assembly.slice(from, from + finding.host.length)).toEqual(finding.host);
  });

  test("is refuted in that variable", async (ctx) => {
    const { refinement, translator } = await needVersion(ctx, finding);
    const settled = await validate(refinement, translator, blockOf(finding));
    const refuted = settled.flatMap(({ verdict }) => (verdict.verdict === "refuted" ? [verdict.counterexample] : []));
    expect(refuted.map((c) => c.cause.variable)).toEqual([finding.cause.variable]);
    expect(refuted[0]?.obligation).toContain(finding.cause.obligation);
    expect(refuted[0]?.found.known).toEqual({ findings: [finding.name], see: "docs/findings.md" });
  });

  test("does not explain another mistake in its block", async (ctx) => {
    const { refinement, translator } = await needVersion(ctx, finding);
    const settled = await validate(refinement, translator, blockOf(finding), (t) => elsewhere(t, blockOf(finding)));
    const refuted = settled.flatMap(({ verdict }) => (verdict.verdict === "refuted" ? [verdict.counterexample] : []));
    expect(refuted).toHaveLength(1);
    // Where the departing guest leaves a trap's value open there is no saying that it does not.
    expect(refuted[0]?.found.known).toBe(finding.name === "badaddr" ? "undecided" : undefined);
  });
});

describe.each(file.findings.filter((f) => "run" in f))("$name", (finding) => {
  test("is what QEMU does", async (ctx) => {
    const { refinement, program } = await needVersion(ctx, finding);
    const { before, memory, also = {}, variable, qemu, manual } = finding.run;
    const x = Array.from({ length: 32 }, () => 0n);
    for (const [name, value] of Object.entries(before)) x[indexOf(name)] = BigInt(value);
    const emulation = {
      emulator: program,
      processor: ["-cpu", "rv64,zba=on,zbb=on"],
      singleStep: "",
      guest: refinement.guest,
      silenceMs: 60_000,
      totalMs: 60_000,
    };
    const { pc } = blockOf(finding);
    const code = Buffer.from(finding.run.code ?? finding.guest.code, "hex");
    const pieces =
      memory === undefined
        ? []
        : [{ address: BigInt(memory.address), bytes: Buffer.from(memory.bytes, "hex"), allowed: "all" as const }];
    const outcome = await runBlock(emulation, { pc, code, x, memory: pieces }, new AbortController().signal);
    expect(outcome).toMatchObject({ signal: 5, pc: pc + BigInt(code.length) });
    for (const [name, value] of Object.entries({ ...also, [variable]: qemu }))
      expect([name, outcome.x[indexOf(name)]]).toEqual([name, BigInt(value)]);
    expect(qemu).not.toBe(manual);
  });
});

describe.each(file.findings.filter((f) => "system-run" in f))("$name", (finding) => {
  test("is what QEMU does in system mode", async (ctx) => {
    await needVersion(ctx, finding);
    const program = await findProgram("qemu-system-riscv64");
    if (program === undefined)
      return ctx.skip("qemu-system-riscv64 is not installed: apt-get install qemu-system-misc");
    const { address, words, cause, qemu, manual } = finding["system-run"];
    const data = new Uint8Array(Uint32Array.from(words).buffer);
    const segment = { address: BigInt(address), data, writable: false, executable: true };
    const log = await withExecutable(writeElf(BigInt(address), [segment]), (elf) => {
      const args = ["-M", "virt", "-cpu", "rv64,c=off", "-bios", "none", "-nographic", "-d", "int", "-kernel", elf];
      const limits = { timeout: 60_000, killSignal: "SIGKILL", maxBuffer: 1 << 20 } as const;
      return new Promise<string>((resolve, reject) => {
        execFile(program, args, limits, (error, _, stderr) => (error === null ? resolve(stderr) : reject(error)));
      });
    });
    const [, told, value] = /cause:([0-9a-f]+), epc:\S+ tval:(0x[0-9a-f]+)/.exec(log) ?? [];
    expect([Number.parseInt(told ?? "", 16), Number(value)]).toEqual([cause, qemu]);
    expect(qemu).not.toBe(manual);
  });
});
