import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { type TestContext, describe, expect, test } from "vitest";
import {
  emulatorIdentity,
  type EmulatorTestResult,
  replayEmulator,
  testEmulator,
} from "../../../properties/emulator.js";
import { matches } from "../../../refinement/campaign/options.js";
import { variableOf } from "../../../refinement/execute/difference.js";
import { findProgram } from "../../../refinement/process/programs.js";
import type { EmulatorRefinement } from "../../../refinement/refinement.js";
import { loadRefinement } from "../../../spec/notation/index.js";

const FOLDER = path.resolve("impl/qemu-gdb");
const PROGRAMS = { refinement: "qemu-riscv64", system: "qemu-system-riscv64" } as const;

async function needQemu(ctx: TestContext, name: keyof typeof PROGRAMS, fault?: string): Promise<EmulatorRefinement> {
  if (findProgram(PROGRAMS[name], FOLDER) === undefined)
    ctx.skip(`${PROGRAMS[name]} is missing: apt-get install qemu-user qemu-system-misc`);
  const file = path.join(FOLDER, `${name}.yaml`);
  const refinement = await loadRefinement(file, fault === undefined ? {} : { fault });
  return refinement.form === "emulator" ? refinement : expect.fail("it is an emulator");
}

type Options = Partial<Parameters<typeof testEmulator>[1]>;

async function results(of: EmulatorRefinement, options: Options = {}): Promise<readonly EmulatorTestResult[]> {
  const tested = await testEmulator(of, { cases: 8, seed: 3, ...options });
  return "results" in tested ? tested.results : expect.fail("it is missing");
}

/** The refinement with another command, or address. */
function withStub(of: EmulatorRefinement, more: object): EmulatorRefinement {
  if (of.emulator.kind !== "gdb") return expect.fail("no stub");
  return { ...of, emulator: { ...of.emulator, ...more } };
}

function commandOf({ emulator }: EmulatorRefinement): readonly string[] {
  return emulator.kind === "gdb" ? (emulator.command ?? []) : [];
}

test.for(["refinement", "system"] as const)(
  "the installed QEMU agrees with the definition (%s)",
  { timeout: 120_000 },
  async (name, ctx) => {
    const all = await results(await needQemu(ctx, name));
    expect(all.length).toBeGreaterThan(60);
    expect(all.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
  },
);

describe("seeded faults", { timeout: 120_000 }, async () => {
  const { faults } = await loadRefinement(path.join(FOLDER, "refinement.yaml"));

  test("there are eight", () => expect(faults.length).toBeGreaterThanOrEqual(8));

  test.for(faults.map((f) => f.name))("%s is found, small, and replays", async (name, ctx) => {
    const wrong = await needQemu(ctx, "refinement", name);
    const fault = wrong.faults.find((f) => f.name === name);
    const found = await results(wrong, {
      cases: 100,
      only: (obligation) => matches(fault?.obligation ?? "", obligation),
    });
    expect(found).toHaveLength(1);
    const [result] = found;
    if (result?.verdict.verdict !== "refuted") return expect.fail("it is not refuted");
    const { counterexample } = result.verdict;
    expect(counterexample.differs.map((d) => variableOf(d.variable))).toContain(fault?.variable);
    expect(Object.keys(counterexample.state).length).toBeLessThanOrEqual(4);
    expect(await replayEmulator(wrong, counterexample)).toEqual({ differs: counterexample.differs });
    expect(await replayEmulator(await needQemu(ctx, "refinement"), counterexample)).toEqual({ differs: [] });
  });
});

const add = (name: string): boolean => name === "commute/add";

describe("a stub that runs already", { timeout: 60_000 }, () => {
  async function listening(refinement: EmulatorRefinement, use: (at: string) => Promise<void>): Promise<void> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "commute-attach-"));
    const socket = path.join(folder, "socket");
    const [program = "", ...words] = commandOf(refinement).map((word) =>
      word.replace("{socket}", socket).replace("{program}", "/dev/null"),
    );
    // Without a program: the memory of the room is the machine's own.
    const args = words.filter((word, i) => word !== "-kernel" && words[i - 1] !== "-kernel");
    const child: ChildProcess = spawn(program, args, { stdio: "ignore" });
    try {
      for (let i = 0; i < 200 && !(await accepts(socket)); i++) await new Promise((resolve) => setTimeout(resolve, 50));
      await use(socket);
    } finally {
      child.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** A connection that is made and dropped does not disturb a machine that stands still. */
  async function accepts(socket: string): Promise<boolean> {
    const connection = net.connect({ path: socket });
    const accepted = await new Promise<boolean>((resolve) => {
      connection.once("connect", () => resolve(true));
      connection.once("error", () => resolve(false));
    });
    connection.destroy();
    return accepted;
  }

  test("is attached to, its memory is written, and it can be attached to again", async (ctx) => {
    const refinement = await needQemu(ctx, "system");
    await listening(refinement, async (address) => {
      const attached = withStub(refinement, { address, command: undefined });
      const only = (name: string): boolean => ["commute/add", "commute/lw", "commute/sd"].includes(name);
      for (let i = 0; i < 2; i++) {
        const all = await results(attached, { cases: 20, only });
        expect(all.map((r) => r.verdict.verdict)).toEqual(["tested", "tested", "tested"]);
      }
      expect(await emulatorIdentity(attached)).toBeUndefined();
    });
  });
});

describe("a stub that cannot be started", { timeout: 60_000 }, () => {
  const reason = async (of: EmulatorRefinement): Promise<string> => {
    const [result] = await results(of, { cases: 1, only: add });
    return result?.verdict.verdict === "unknown" ? result.verdict.reason : JSON.stringify(result?.verdict);
  };

  test("because it is not installed is missing", async (ctx) => {
    const refinement = await needQemu(ctx, "refinement");
    const absent = withStub(refinement, { command: ["qemu-nowhere", "-g", "{port}"] });
    expect(await testEmulator(absent, { cases: 1, seed: 1 })).toMatchObject({ missing: [{ program: "qemu-nowhere" }] });
    expect(await emulatorIdentity(absent)).toBeUndefined();
  });

  test("because it refuses its options says what it said", async (ctx) => {
    const refinement = await needQemu(ctx, "refinement");
    const command = commandOf(refinement).map((word) => (word.startsWith("rv64,") ? "rv64,zzz=on" : word));
    expect(await reason(withStub(refinement, { command }))).toMatch(/exited with 1 before anyone could connect.*zzz/);
  });

  test("because its port is in use says so, after other ports", async (ctx) => {
    const refinement = await needQemu(ctx, "refinement");
    const server = net.createServer((socket) =>
      socket
        .on("error", () => undefined)
        .resume()
        .end("hello"),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const at = server.address();
    const port = typeof at === "object" && at !== null ? at.port : 0;
    const command = commandOf(refinement).map((word) => word.replace("{socket}", String(port)));
    const taken = withStub(refinement, { command, address: `127.0.0.1:${port}` });
    // Whoever has the port answers first, or QEMU ends first.
    expect(await reason(taken)).toMatch(/closed the connection|before anyone could connect/);
    await new Promise((resolve) => server.close(resolve));
  });

  test("because it never listens is given up", async (ctx) => {
    const refinement = await needQemu(ctx, "refinement");
    const silent = withStub(refinement, {
      command: ["sleep", "600", "{port}"].slice(0, 2),
      address: "127.0.0.1:9",
      timeoutMs: 300,
    });
    expect(await reason(silent)).toMatch(/nothing listens at 127.0.0.1:9 after 300 ms/);
  });
});

test("QEMU can be given a port as well", { timeout: 60_000 }, async (ctx) => {
  const refinement = await needQemu(ctx, "refinement");
  const command = commandOf(refinement).map((word) => word.replace("{socket}", "{port}"));
  const [result] = await results(withStub(refinement, { command }), { only: add });
  expect(result?.verdict.verdict).toBe("tested");
});

test("a case that kills QEMU costs its obligation", { timeout: 60_000 }, async (ctx) => {
  const refinement = await needQemu(ctx, "refinement");
  if (refinement.emulator.kind !== "gdb") return expect.fail("no stub");
  // Of a jump to a misaligned address, user-mode QEMU knows no signal.
  const room = { ...refinement.emulator.room, avoid: [] };
  const only = (name: string): boolean => ["commute/jal", "commute/add"].includes(name);
  const all = await results(withStub(refinement, { room }), { cases: 60, only });
  expect(all.find((r) => r.name === "commute/add")?.verdict.verdict).toBe("tested");
  const jal = all.find((r) => r.name === "commute/jal")?.verdict;
  expect(jal).toMatchObject({ verdict: "unknown", by: "emulator" });
  expect(jal?.verdict === "unknown" ? jal.reason : "").toMatch(/connection|its program ended/);
});
