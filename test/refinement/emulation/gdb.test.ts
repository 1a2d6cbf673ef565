import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  type EmulatorTestResult,
  emulatorIdentity,
  replayEmulator,
  testEmulator,
} from "../../../properties/emulator.js";
import { caseRoom } from "../../../refinement/emulation/room.js";
import { packet } from "../../../refinement/emulation/gdb/packets.js";
import { UserError } from "../../../refinement/errors.js";
import type { Machine } from "../../../refinement/machine.js";
import type { EmulatorRefinement, RoomSource, StubSource } from "../../../refinement/refinement.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { otherwise } from "./otherwise.js";
import { type Manners, startTestStub, type TestStub } from "./stub.js";

const guest = await loadMachine(path.resolve("spec/riscv/rv64im.yaml"));

const ROOM: RoomSource = {
  parts: [
    { start: 0x1000n, end: 0x1080n, access: ["load", "store", "fetch"] },
    { start: 0x1080n, end: 0x1100n, access: [] },
    { start: 0x2000n, end: 0x2080n, access: ["load", "store"] },
    { start: 0x2080n, end: 0x2100n, access: [] },
  ],
  avoid: ["instruction_address_misaligned"],
  hidden: [],
  exempt: new Map(),
};

const SIGNALS = new Map([
  ["SIGILL", ["illegal_instruction"]],
  ["SIGTRAP", ["breakpoint"]],
  ["SIGSEGV", ["load_access_fault", "store_access_fault", "instruction_access_fault"]],
  ["SIGSYS", ["environment_call"]],
]);

function refinement(address: string, of: Machine = guest, more: Partial<StubSource> = {}): EmulatorRefinement {
  return {
    form: "emulator",
    name: "stub",
    title: "the reference evaluator behind the remote protocol",
    kind: "emulation",
    file: path.resolve("test/refinement/emulation/stub.yaml"),
    guest: of,
    assumptions: [],
    faults: [],
    fault: undefined,
    mapping: [],
    emulator: {
      kind: "gdb",
      address,
      command: undefined,
      directory: path.resolve("."),
      timeoutMs: 10_000,
      architecture: "riscv64",
      registers: new Map(),
      signals: SIGNALS,
      room: ROOM,
      ...more,
    },
  };
}

const stubs: TestStub[] = [];
afterEach(async () => {
  for (const stub of stubs.splice(0)) await stub.close();
});

async function stub(manners: Manners = {}, machine: Machine = guest): Promise<TestStub> {
  const started = await startTestStub(machine, caseRoom(guest, ROOM).memory, manners);
  stubs.push(started);
  return started;
}

type Options = Partial<Parameters<typeof testEmulator>[1]>;

async function results(of: EmulatorRefinement, options: Options = {}): Promise<readonly EmulatorTestResult[]> {
  const tested = await testEmulator(of, { cases: 4, seed: 1, date: "2026-01-01", ...options });
  return "results" in tested ? tested.results : expect.fail("it is missing");
}

const only =
  (...names: string[]): ((obligation: string) => boolean) =>
  (obligation) =>
    names.includes(obligation.replace("commute/", ""));

test("a right emulator passes, traps included", async () => {
  const { address } = await stub();
  const all = await results(refinement(address));
  expect(all.map((r) => r.name)).toEqual(guest.transitions.map((t) => `commute/${t.name}`));
  expect(all.filter((r) => r.verdict.verdict !== "tested")).toEqual([]);
});

test("so does one that knows single registers only", async () => {
  const { address } = await stub({ unknown: /^[gG]/ });
  const all = await results(refinement(address), { only: only("add", "sw", "beq", "ebreak") });
  expect(all.map((r) => r.verdict.verdict)).toEqual(["tested", "tested", "tested", "tested"].slice(0, all.length));
  expect(all).toHaveLength(4);
});

const wrong = (instruction: string, meaning: string): Promise<Machine> =>
  loadMachine(path.resolve("spec/riscv/rv64im.yaml"), { files: otherwise(instruction, meaning) });

describe("a mistake of the emulator's", () => {
  test("in a result is found, shrunk, and replays; a right one does not have it", async () => {
    const bad = await stub({}, await wrong("sub", "x[rd] = x[rs1] - x[rs2] - (x[rs1] & x[rs2] & 1)"));
    const [result] = await results(refinement(bad.address), { cases: 20, only: only("sub") });
    if (result?.verdict.verdict !== "refuted") return expect.fail("it is not refuted");
    const { counterexample } = result.verdict;
    expect(counterexample.guest?.assembly[0]).toMatch(/^sub /);
    expect(Object.keys(counterexample.state).length).toBeLessThanOrEqual(4);
    expect(await replayEmulator(refinement(bad.address), counterexample)).toEqual({ differs: counterexample.differs });
    expect(await replayEmulator(refinement((await stub()).address), counterexample)).toEqual({ differs: [] });
  });

  test.each([
    ["lb", "x[rd] = zext(load(x[rs1] + sext(imm), 1))", "x"],
    ["sh", "store(x[rs1] + sext(imm), x[rs2][31:0])", "mem"],
    ["beq", "branch(x[rs1] != x[rs2], imm)", "pc"],
    ["ebreak", "raise environment_call", "trap"],
    ["ebreak", "x[0] = 0", "pc"],
    ["add", "raise breakpoint", "pc"],
    ["lw", "raise illegal_instruction(0)", "trap"],
  ])("in %s (%s) differs in %s", async (name, meaning, variable) => {
    const { address } = await stub({}, await wrong(name, meaning));
    const [result] = await results(refinement(address), { cases: 20, only: only(name) });
    if (result?.verdict.verdict !== "refuted") return expect.fail(`it is ${JSON.stringify(result?.verdict)}`);
    expect(result.verdict.counterexample.differs.map((d) => d.variable.replace(/\[.*/, ""))).toContain(variable);
  });

  test("a trap that no signal of the emulator's stands for is no agreement", async () => {
    const { address } = await stub();
    const [result] = await results(refinement(address, guest, { signals: new Map() }), { only: only("illegal") });
    expect(result?.verdict).toMatchObject({ verdict: "unknown", by: "emulator" });
  });
});

describe("bad neighbours", () => {
  const neighbour = async (manners: Manners, more: Partial<StubSource> = {}): Promise<EmulatorTestResult[]> => {
    const { address } = await stub(manners);
    return [
      ...(await results(refinement(address, guest, more), { cases: 2, only: only("add", "sub", "xor", "or", "and") })),
    ];
  };
  const at =
    (pattern: RegExp, what: string | Uint8Array): NonNullable<Manners["instead"]> =>
    (payload) =>
      pattern.test(payload) ? what : undefined;

  test.each<[string, Manners, RegExp]>([
    ["hangs", { instead: at(/^s/, "nothing") }, /no answer within 300 ms, asked s/],
    ["hangs at once", { instead: at(/^q/, "nothing") }, /no answer within 300 ms/],
    ["drops the connection", { instead: at(/^s/, "drop") }, /closed the connection, asked s/],
    ["has no sums", { instead: at(/^s/, "$T05#00") }, /wrong checksums, asked s/],
    ["refuses packets", { instead: at(/^s/, "-".repeat(5)) }, /refuses packet after packet/],
    ["babbles", { instead: at(/^s/, "HTTP/1.1 400 Bad Request\r\n\r\n".repeat(400)) }, /no packet/],
    ["sends too long a packet", { instead: at(/^s/, `$${"0".repeat(1 << 21)}`) }, /longer than/],
    [
      "writes without end",
      { instead: at(/^s/, Buffer.concat(Array.from({ length: 2000 }, () => packet("O41")))) },
      /output without end/,
    ],
    ["ends its program", { instead: at(/^s/, packet("W00")) }, /its program ended/],
    ["answers what was not asked", { instead: at(/^s/, packet("OK")) }, /answers a single step with OK/],
    ["talks on", { instead: at(/^s/, Buffer.concat([packet("T05"), packet("T05"), packet("T05")])) }, /./],
    ["gives no registers", { instead: at(/^g/, packet("xyz")) }, /registers are no hexadecimal number/],
    ["takes no registers", { instead: at(/^G/, packet("E01")) }, /does not take registers/],
    ["gives too little memory", { instead: at(/^m/, packet("00")) }, /does not give the \d+ bytes of memory/],
    ["writes no memory", { instead: at(/^M/, packet("E14")) }, /does not write memory.*\{program\}/],
    [
      "describes nonsense",
      {
        instead: (p) =>
          p.startsWith("qSupported")
            ? packet("qXfer:features:read+")
            : p.startsWith("qXfer")
              ? packet('l<reg name="a" bitsize="many"/>')
              : undefined,
      },
      /description of registers is none/,
    ],
    [
      "describes itself without end",
      {
        instead: (p) =>
          p.startsWith("qSupported")
            ? packet("qXfer:features:read+")
            : p.startsWith("qXfer")
              ? packet('l<xi:include href="target.xml"/>')
              : undefined,
      },
      /includes without end/,
    ],
    ["runs", { instead: at(/^\?/, packet("OK")) }, /no program that is stopped/],
  ])("one that %s is unknown by name, and not asked for ever", async (what, manners, reason) => {
    const all = await neighbour(manners, what.startsWith("hangs") ? { timeoutMs: 300 } : {});
    expect(all).toHaveLength(5);
    expect(all.filter((r) => r.verdict.verdict !== "unknown")).toEqual([]);
    const reasons = all.map(({ verdict }) => (verdict.verdict === "unknown" ? verdict.reason : ""));
    expect(reasons[0]).toMatch(reason);
    expect(reasons.at(-1)).toMatch(/not asked: it has failed 3 times in a row/);
  });

  test("one damaged packet is asked for again", async () => {
    let damaged = 0;
    const { address } = await stub({ instead: (p) => (p === "s" && damaged++ % 2 === 0 ? "$T05#00" : undefined) });
    const [result] = await results(refinement(address), { only: only("add") });
    expect(result?.verdict.verdict).toBe("tested");
  });

  test("one failure costs one obligation", async () => {
    let steps = 0;
    const { address } = await stub({ instead: (p) => (p === "s" && ++steps === 1 ? "drop" : undefined) });
    const all = await results(refinement(address), { only: only("add", "sub") });
    expect(all.map((r) => r.verdict.verdict)).toEqual(["unknown", "tested"]);
  });

  test("where nobody listens it is missing, with what would start it", async () => {
    const gone = await stub();
    await gone.close();
    const tested = await testEmulator(refinement(gone.address), { cases: 1, seed: 1 });
    expect(tested).toMatchObject({ missing: [{ program: `a GDB stub at ${gone.address}` }] });
  });

  test("what it answers is not kept, and it is not called for that", async () => {
    const running = await stub();
    expect(await emulatorIdentity(refinement(running.address))).toBeUndefined();
    expect(running.connections).toBe(0);
  });

  test("an interruption is heard while it hangs", async () => {
    const { address } = await stub({ instead: at(/^s/, "nothing") });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const all = await results(refinement(address, guest, { timeoutMs: 60_000 }), { signal: controller.signal });
    expect(all).toEqual([]);
  });
});

test("a guest variable without a register is the user's mistake, by name", async () => {
  const { address } = await stub();
  const atomic = await loadMachine(path.resolve("spec/riscv/rv64imac.yaml"));
  await expect(results(refinement(address, atomic), { only: only("add") })).rejects.toThrow(
    /`reservation.valid` needs a register.*hidden/s,
  );
  await expect(results(refinement(address, atomic), { only: only("add") })).rejects.toThrow(UserError);
  const hidden = { ...ROOM, hidden: ["reservation"] };
  const [result] = await results(refinement(address, atomic, {}), { only: () => false });
  expect(result).toBeUndefined();
  const of = refinement(address, atomic);
  if (of.emulator.kind !== "gdb") return expect.fail("no stub");
  const [added] = await results({ ...of, emulator: { ...of.emulator, room: hidden } }, { only: only("add") });
  expect(added?.verdict.verdict).toBe("tested");
});
