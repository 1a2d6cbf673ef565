import { describe, expect, test } from "vitest";
import type { LoggedBlock } from "../../../impl/qemu/log.js";
import { type GuestTraps, type Read, readTranslation } from "../../../impl/qemu/read-translation.js";
import { layoutByOrder, layoutByValue, layoutOfTraps } from "../../../impl/qemu/state-layout.js";
import type { Translation } from "../../../refinement/translation.js";
import { type LogName, readLog, savedLog } from "./logs.js";

const BINS = { kind: "memory", region: "state", offset: 0x1358n, bytes: 4 } as const;
const TRAPS: GuestTraps = new Map([
  [2n, { name: "illegal_instruction", value: BINS }],
  [3n, { name: "breakpoint", value: undefined }],
  [4n, { name: "load_address_misaligned", value: undefined }],
  [6n, { name: "store_address_misaligned", value: undefined }],
  [8n, { name: "environment_call", value: undefined }],
]);

function blockOf(name: LogName, index: number): LoggedBlock {
  const block = readLog(savedLog(name)).blocks[index];
  if (block === undefined) throw new Error("no such block");
  return block;
}

function read(name: LogName, block: LoggedBlock, traps: GuestTraps = TRAPS): Read {
  const [prologue] = readLog(savedLog(name)).prologues;
  if (prologue === undefined) throw new Error("no prologue");
  return readTranslation(block, prologue, traps);
}

function translation(name: LogName, index: number): Translation {
  const result = read(name, blockOf(name, index));
  if (result.kind !== "read") throw new Error(JSON.stringify(result));
  return result.translation;
}

describe("a translation", () => {
  test("is left through lookup_tb_ptr, or before it begins", () => {
    const { exits, host, entry, faults, points, calls } = translation("single", 0);
    expect(exits.map((e) => [e.guest, e.interrupt, e.trap])).toEqual([
      [undefined, false, undefined],
      [0x100b0n, true, undefined],
    ]);
    expect(entry).toBe(host.address);
    expect(faults).toEqual([{ host: host.address, until: expect.anything(), guest: 0x100b0n }]);
    expect([points, calls]).toEqual([[], []]);
  });

  test("is left for an unaligned access on behalf of the instruction", () => {
    expect(translation("single", 2).exits.map((e) => e.trap)).toEqual([
      undefined,
      undefined,
      "load_address_misaligned",
    ]);
    // A store-conditional loads and stores: both slow paths are a store's.
    expect(translation("single", 3).exits.map((e) => e.trap)).toEqual([
      undefined,
      undefined,
      "store_address_misaligned",
      "store_address_misaligned",
    ]);
  });

  test("raises the guest's traps by number, with their values", () => {
    const exitOf = (index: number): unknown => translation("single", index).exits[0];
    expect(exitOf(8)).toMatchObject({ trap: "environment_call", value: undefined });
    expect(exitOf(11)).toMatchObject({ trap: "illegal_instruction", value: BINS });
    const rsi = { kind: "register", register: "rsi" };
    expect(translation("single", 2).exits.at(-1)).toMatchObject({ trap: "load_address_misaligned", value: rsi });
  });

  test("can be chained: everything but the pc is in its place at the jump", () => {
    const { points, exits } = translation("chained", 1);
    const [pc = 0n] = blockOf("chained", 1).boundaries;
    // The other jump leads back to the block itself.
    expect(points.map((p) => [p.guest, p.cut])).toEqual([[pc + 12n, false]]);
    expect(exits.map((e) => e.interrupt)).toEqual([false, false, true]);
  });

  test("calls helpers that have no definition: named", () => {
    expect(read("single", blockOf("single", 4))).toEqual({ kind: "unsupported", what: "helper_clmul" });
    expect(read("single", blockOf("single", 5))).toEqual({
      kind: "unsupported",
      what: "helper_set_rounding_mode, helper_fadd_d",
    });
  });

  test("of a guest without a trap for it is unsupported, not passed over", () => {
    expect(read("single", blockOf("single", 8), new Map())).toEqual({
      kind: "unsupported",
      what: "raise_exception of 8",
    });
    expect(read("single", blockOf("single", 2), new Map()).kind).toBe("unsupported");
  });

  test("is the same wherever QEMU had put it", () => {
    // With and without chaining: the block behind the loop is not chained in either.
    const [a, b] = [translation("chained", 3), translation("no-input", 3)];
    expect(blockOf("chained", 3).address).not.toBe(blockOf("no-input", 3).address);
    expect(a).toEqual(b);
  });
});

describe("what does not fit together is an error that names the line", () => {
  const block = blockOf("single", 0);
  const without = (name: string): LoggedBlock => ({
    ...block,
    operations: block.operations.filter((o) => o.name !== name),
  });
  const patched = (find: number[], change: (code: Uint8Array, at: number) => void, base = block): LoggedBlock => {
    const code = Uint8Array.from(base.code);
    const at = code.findIndex((_, i) => find.every((byte, k) => code[i + k] === byte));
    expect(at).toBeGreaterThan(0);
    change(code, at);
    return { ...base, code };
  };

  test.each<[string, LoggedBlock]>([
    ["no call in the intermediate code", without("call")],
    ["no exit in the intermediate code", without("exit_tb")],
    ["a call that is not in the host code", { ...block, operations: [...block.operations, ...block.operations] }],
    ["no intermediate code", { ...block, boundaries: [] }],
    ["another exit value", patched([0x48, 0x8d, 0x05], (code, at) => code.set([0x10], at + 3))],
    ["a jump to elsewhere", patched([0xe9], (code, at) => code.set([0x10], at + 1))],
    ["another first argument", patched([0x48, 0x8b, 0xfd], (code, at) => code.set([0xfb], at + 2))],
    ["another jump behind the lookup", patched([0xff, 0xe0], (code, at) => code.set([0xe3], at + 1))],
    ["another trap", patched([0xbe, 8, 0, 0, 0], (code, at) => code.set([3], at + 1), blockOf("single", 8))],
    [
      "a slow path of an access that is none",
      patched([0xbc, 0xff], (code, at) => code.set([0xc0], at), blockOf("single", 2)),
    ],
  ])("%s", (_, changed) => {
    const result = read("single", changed);
    expect(result.kind).toBe("error");
    if (result.kind === "error") expect(result.reason).toMatch(/^log line \d+: /);
  });

  test("host bytes that are no instruction are unsupported", () => {
    const code = Uint8Array.from(block.code);
    code.set([0x06], 0);
    expect(read("single", { ...block, code })).toMatchObject({ kind: "unsupported" });
  });
});

describe("where the guest's state lies", () => {
  test("follows from the order of the stores", () => {
    const layout = layoutByOrder(readLog(savedLog("single")).blocks);
    expect(Object.fromEntries(layout)).toMatchObject({ x10: 0x50n, x12: 0x60n, x17: 0x88n, pc: 0x1330n });
    expect(layout.get("load_res")).toBe(0x1338n);
  });

  test("and for traps' values from the intermediate code", () => {
    expect(layoutOfTraps(readLog(savedLog("single")).blocks)).toEqual(new Map([["bins", 0x1358n]]));
  });

  test("and from what is stored", () => {
    const { blocks } = readLog(savedLog("single"));
    const layout = layoutByValue(
      blocks,
      new Map([
        [999n, "x17"],
        [0x100b4n, "pc"],
      ]),
    );
    expect(Object.fromEntries(layout)).toEqual({ x17: 0x88n, pc: 0x1330n });
  });

  test("cannot be in two places", () => {
    const { blocks } = readLog(savedLog("single"));
    expect(() =>
      layoutByValue(
        blocks,
        new Map([
          [999n, "x"],
          [0x100b4n, "x"],
        ]),
      ),
    ).toThrow(/both/);
  });
});
