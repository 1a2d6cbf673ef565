/** QEMUs that are none, too old, or go wild: named errors, in bounded time and memory. */
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import open from "../../../impl/qemu/translator.js";
import { type Logged, logAll } from "../../../impl/qemu/translate.js";
import { runCampaign } from "../../../refinement/campaign/campaign.js";
import { defaultOptions } from "../../../refinement/campaign/options.js";
import { EnvironmentFailure } from "../../../refinement/errors.js";
import { loadMachine, loadRefinement } from "../../../spec/notation/index.js";
import { needQemu } from "./need-qemu.js";

const guest = await loadMachine(path.resolve("spec/riscv/rv64im.yaml"));
const LAYOUT = { x: 0, pc: 0x1330 };

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "commute-odd-qemu-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A program in QEMU's place, which does `script` where it is given something to run; the log goes to 3. */
async function odd(name: string, script: string, version = "qemu-riscv64 version 2.12.0"): Promise<string> {
  const file = path.join(folder, name);
  const text = `#!/bin/sh\n[ "$1" = --version ] && { echo "${version}"; exit 0; }\n${script}\n`;
  await writeFile(file, text, { mode: 0o755 });
  return file;
}

describe("a QEMU that", () => {
  test.each([
    [
      "is too old for the processor",
      `echo "unable to find CPU model 'rv64'" >&2; exit 1`,
      /does not run with -cpu rv64/,
    ],
    ["is none", "exit 7", /does not run with -cpu/],
    ["dies", "kill -SEGV $$", /does not run with -cpu/],
    [
      "is too old for the log",
      `case " $* " in *' -d '*) echo "Log items (comma separated)" >&2; exit 1;; esac`,
      /does not show its translations/,
    ],
    ["logs something else", `case " $* " in *' -d '*) echo "PC=0x10000" >&3;; esac`, /does not show its translations/],
    ["logs nothing", "exit 0", /does not show its translations/],
  ])("%s is named", async (name, script, message) => {
    const program = await odd(name.replaceAll(" ", "-"), script);
    const opening = open(guest, { program, layout: LAYOUT }, folder);
    await expect(opening).rejects.toThrow(EnvironmentFailure);
    await expect(opening).rejects.toThrow(message);
  });

  test("ends once before it logs anything is run again", async (ctx) => {
    await needQemu(ctx);
    const fails = path.join(folder, "fails");
    await writeFile(fails, "");
    const script = `case " $* " in *' -d '*) [ -e ${fails} ] && { rm ${fails}; exit 0; };; esac; exec qemu-riscv64 "$@"`;
    const program = await odd("fails-once", script);
    const opened = await open(guest, { program, layout: LAYOUT }, folder);
    expect("translator" in opened).toBe(true);
    await expect(access(fails)).rejects.toThrow("ENOENT");
    if ("translator" in opened) await opened.translator.close();
  });

  test("cannot be asked does not keep other refinements from being checked", { timeout: 120_000 }, async () => {
    const program = await odd("broken", "exit 7");
    const load = async (file: string): ReturnType<typeof loadRefinement> => {
      const refinement = await loadRefinement(file);
      if (refinement.form !== "translator" || refinement.translator.kind !== "module") return refinement;
      return { ...refinement, translator: { ...refinement.translator, options: { program, layout: LAYOUT } } };
    };
    const files = ["impl/qemu/refinement.yaml", "impl/tiny-pipeline/refinement.yaml"].map((f) => path.resolve(f));
    const options = { ...defaultOptions(), load, only: ["commute/*"], modes: ["prove"] as const };
    const { report } = await runCampaign(files, options);
    const [broken, whole] = report.refinements;
    expect(broken?.obligations).toMatchObject([{ name: "commute/*", verdict: "unknown" }]);
    expect(broken?.obligations[0]?.reason).toMatch(/does not run with -cpu/);
    expect(whole?.verdict).toBe("holds");
    expect(report.verdict).toBe("inconclusive");
  });
});

describe("a log", { timeout: 60_000 }, () => {
  const logged = async (script: string): Promise<Logged[]> => {
    const emulator = await odd("wild", script);
    const emulation = { emulator, processor: [], singleStep: "-singlestep", guest, silenceMs: 1500, totalMs: 4000 };
    const all: Logged[] = [];
    const requests = [0x10_0000n, 0x10_0010n].map((pc) => ({ pc, code: Uint8Array.of(0x13, 0x05, 0x15, 0) }));
    for await (const answer of logAll(emulation, requests, new AbortController().signal)) all.push(answer);
    return all;
  };

  test.each([
    ["that floods with lines", "exec yes 'nonsense' >&3"],
    ["that floods with one line", "exec tr '\\0' x < /dev/zero >&3"],
    ["that never comes", "exec sleep 600"],
    ["that trickles without end", "while :; do echo x >&3; sleep 0.2; done"],
  ])("%s costs its blocks, by name, in bounded time and memory", async (_, script) => {
    const before = process.memoryUsage().rss;
    const all = await logged(script).catch((error: unknown) => error);
    if (all instanceof Error) expect(all).toBeInstanceOf(EnvironmentFailure);
    else expect(all).toMatchObject([{ kind: "error" }, { kind: "error" }]);
    expect(process.memoryUsage().rss - before).toBeLessThan(512 << 20);
  });
});
