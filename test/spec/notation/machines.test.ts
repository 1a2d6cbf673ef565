/** What machine files can say, each seen in what the machine then does. */
import { describe, expect, test } from "vitest";
import type { Machine } from "../../../refinement/machine.js";
import { transition } from "../../../refinement/machine.js";
import { Evaluator, zeroValue } from "../../../refinement/terms/evaluate.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { machineOf, memoryFiles, mistakes, short } from "./memory-files.js";

/** A state by the values that matter; arguments of a transition as `t(p)`. */
type Given = Readonly<Record<string, Value>>;

function evaluatorOf(given: Given): Evaluator {
  const values = new Map(Object.entries(given));
  return new Evaluator({ variable: (t) => values.get(t.name) ?? zeroValue(t.sort) });
}

/** What a transition does: the variables it changes, or the trap it ends in; undefined if it is not enabled. */
function fire(machine: Machine, name: string, given: Given): Record<string, Value> | undefined {
  const t = transition(machine, name);
  if (t === undefined) throw new Error(`no transition ${name}`);
  const evaluator = evaluatorOf(given);
  if (!evaluator.holds(t.guard)) return undefined;
  const raised = t.effect.raises.find((r) => evaluator.holds(r.condition));
  if (raised !== undefined) return { [raised.trap]: new FileValue(raised.arguments.map((a) => evaluator.number(a))) };
  return Object.fromEntries([...t.effect.assigns].map(([k, v]) => [k, evaluator.value(v)]));
}

const file = (...elements: number[]): FileValue => new FileValue(elements.map(BigInt));

describe("state", () => {
  test("records and files of records are flattened", async () => {
    const machine = await machineOf(`machine: m
types:
  Kind: "enum { none_, load, store }"
  Line: "record { valid: bool, kind: Kind, tag: bits(4) }"
state:
  cache: Line[4]
  latch: "record { line: Line, pc: bits(8) }"
transitions:
  fill(i: bits(2)):
    effect: |
      cache[i] = { valid: true, kind: load, tag: latch.pc[3:0] }
      cache[3].valid = latch.line.valid
  keep: { effect: "latch.line = cache[latch.pc[1:0]]" }
`);
    expect(machine.variables.map((v) => v.name)).toEqual([
      "cache.valid",
      "cache.kind",
      "cache.tag",
      "latch.line.valid",
      "latch.line.kind",
      "latch.line.tag",
      "latch.pc",
    ]);
    expect(fire(machine, "fill", { "fill(i)": 1n, "latch.pc": 0x57n, "cache.valid": file(0, 0, 0, 1) })).toEqual({
      "cache.valid": file(0, 1, 0, 0),
      "cache.kind": file(0, 1, 0, 0),
      "cache.tag": file(0, 7, 0, 0),
    });
    expect(
      fire(machine, "keep", { "latch.pc": 2n, "cache.valid": file(0, 0, 1, 0), "cache.kind": file(0, 0, 2, 0) }),
    ).toEqual({
      "latch.line.valid": 1n,
      "latch.line.kind": 2n,
      "latch.line.tag": 0n,
    });
    // Enums of three members do not fill two bits.
    expect(evaluatorOf({ "latch.line.kind": 2n }).holds(machine.wellFormed)).toBe(true);
    expect(evaluatorOf({ "latch.line.kind": 3n }).holds(machine.wellFormed)).toBe(false);
    expect(evaluatorOf({ "cache.kind": file(0, 0, 3, 0) }).holds(machine.wellFormed)).toBe(false);
  });

  test("fixed elements read their constant and swallow writes", async () => {
    const machine = await machineOf(`machine: m
state: { x: { type: "bits(8)[4]", fixed: { 0: 0, 3: 255 } }, i: bits(2) }
transitions:
  write: { effect: "x[i] = 7" }
  all: { effect: "var y = x; y[0] = 1; y[1] = 1; x = y" }
`);
    const x = file(0, 5, 6, 255);
    expect(fire(machine, "write", { x, i: 1n })).toEqual({ x: file(0, 7, 6, 255) });
    expect(fire(machine, "write", { x, i: 0n })?.x).toEqual(x);
    expect(fire(machine, "write", { x, i: 3n })?.x).toEqual(x);
    expect(fire(machine, "all", { x })).toEqual({ x: file(0, 1, 6, 255) });
    expect(evaluatorOf({ x }).holds(machine.wellFormed)).toBe(true);
    expect(evaluatorOf({ x: file(1, 0, 0, 255) }).holds(machine.wellFormed)).toBe(false);
  });

  test("initial conditions add up, and no trap is pending", async () => {
    const files = memoryFiles({
      "m.yaml": "machine: m\nextends: b\nstate: { c: bits(4) }\ninit: { one: c == 1 }\n",
      "b.yaml": "machine: b\nstate: { a: bits(4) }\ntraps: { oops: }\ninit: [a == 2, true]\n",
    });
    const { initial } = await loadMachine("m.yaml", { files });
    expect(evaluatorOf({ a: 2n, c: 1n }).holds(initial)).toBe(true);
    expect(evaluatorOf({ a: 2n, c: 0n }).holds(initial)).toBe(false);
    expect(evaluatorOf({ a: 0n, c: 1n }).holds(initial)).toBe(false);
    expect(evaluatorOf({ a: 2n, c: 1n, trap: 1n }).holds(initial)).toBe(false);
  });
});

describe("transitions", () => {
  test("choices become parameters that an enum keeps in range", async () => {
    const machine = await machineOf(`machine: m
types: { Way: "enum { left, right, straight }" }
state: { a: bits(4), w: Way }
functions:
  "any(): bits(4)": |
    choose v: bits(4)
    v
transitions:
  go: { effect: "choose v: bits(4); a = v + any(); choose way: Way; w = way" }
`);
    expect(transition(machine, "go")?.choices.map((c) => [c.name, c.term.name])).toEqual([
      ["v", "go(v)"],
      ["v.2", "go(v.2)"],
      ["way", "go(way)"],
    ]);
    expect(fire(machine, "go", { "go(v)": 3n, "go(v.2)": 4n, "go(way)": 2n })).toEqual({ a: 7n, w: 2n });
    expect(fire(machine, "go", { "go(way)": 3n })).toEqual({ a: 0n, w: 0n });
  });

  test("a transition waits while a trap is pending, and for parameters that are members", async () => {
    const machine = await machineOf(`machine: m
types: { Way: "enum { left, right, straight }" }
traps: { "stuck(at: bits(4), way: Way)": 9 }
state: { a: bits(4) }
transitions:
  go(way: Way):
    guard: a != 15
    effect: |
      a = a + 1
      if a == 3 && way == straight { raise stuck(a, way) }
`);
    expect(fire(machine, "go", { a: 0n })).toEqual({ a: 1n });
    expect(fire(machine, "go", { a: 15n })).toBeUndefined();
    expect(fire(machine, "go", { a: 0n, trap: 1n })).toBeUndefined();
    expect(fire(machine, "go", { a: 0n, "go(way)": 3n })).toBeUndefined();
    expect(fire(machine, "go", { a: 2n, "go(way)": 2n })).toEqual({ stuck: file(3, 2) });
    expect(machine.traps.map((t) => [t.name, t.code, t.cause])).toEqual([["stuck", 1, 9]]);
    expect(machine.variables.at(-1)?.type).toEqual({ kind: "bits", width: 6 });
    expect(machine.variables.at(-2)?.type).toEqual({ kind: "enum", name: "trap", members: ["none", "stuck"] });
  });

  test("memory: bytes, faults in order of the statements, local copies that never fault", async () => {
    const machine = await machineOf(`machine: m
state:
  a: bits(8)
  mem: { type: bytes(8), faults: { load: no_load, store: no_store } }
traps: { "no_load(address: bits(8))": 1, no_store: 2 }
transitions:
  copy: { effect: "mem[a, 2] = mem[a + 8, 2]" }
  peek: { effect: "a = a == 0 ? mem[8, 1] : 1" }
  both: { guard: "a != 0 && mem[a, 1] == 0", effect: "var m = mem; m[0, 1] = 5; a = m[0, 1]" }
  ask: { guard: "accessible(mem, store, a, a[0] == 1 ? 2'd1 : 2'd2)", effect: a = 1 }
`);
    const denied = (access: string, at: bigint): MemoryValue =>
      MemoryValue.empty(8, (how, address) => !(how === access && address === at)).storeBytes(
        8n,
        Uint8Array.of(0x34, 0x12),
      );
    const after = fire(machine, "copy", { mem: denied("fetch", 0n) })?.mem;
    expect(after instanceof MemoryValue ? after.load(0n, 2) : after).toBe(0x1234n);
    expect(fire(machine, "copy", { mem: denied("load", 9n) })).toEqual({ no_load: file(8) });
    expect(fire(machine, "copy", { mem: denied("store", 1n) })).toEqual({ no_store: file() });
    expect(fire(machine, "peek", { mem: denied("load", 8n) })).toEqual({ no_load: file(8) });
    expect(fire(machine, "peek", { a: 1n, mem: denied("load", 8n) })).toEqual({ a: 1n });
    expect(fire(machine, "both", { a: 1n, mem: denied("load", 0n) })).toEqual({ a: 5n });
    expect(fire(machine, "ask", { a: 1n, mem: denied("store", 2n) })).toEqual({ a: 1n });
    expect(fire(machine, "ask", { a: 2n, mem: denied("store", 3n) })).toBeUndefined();
  });

  test("functions: widths from arguments, results by blocks, uninterpreted ones", async () => {
    const machine = await machineOf(`machine: m
uninterpreted: [ "mystery(a: bits(8), b: bool): bits(8)" ]
constants: { "SEVEN: bits(3)": 7, TWICE: 2 * 21 }
state: { a: bits(8), b: bits(16) }
functions:
  "low(v: bits(N)): bits(4)": "v[3:0]"
  "top(v: bits(N)): bits(1)": "v[N - 1]"
  "max(p: bits(N), q: bits(N)): bits(N)": "p <u q ? q : p"
  "size(v: bits(8)): bits(8)": |
    if v == 0 { 1 } else if v == 1 { 2 } else {
      let w = v + 1
      match w { 3 => 30, _ => w }
    }
transitions:
  widths: { effect: "a = zext(low(b) ++ top(a)); b = max(b, 300)" }
  sizes: { effect: a = size(a) }
  both: { effect: "a = mystery(a, true) - mystery(a, a == a)" }
  constants: { effect: "a = TWICE; b = sext(SEVEN)" }
`);
    expect(fire(machine, "widths", { a: 0x80n, b: 0x0105n })).toEqual({ a: 0x0bn, b: 300n });
    for (const [v, w] of [
      [0n, 1n],
      [1n, 2n],
      [2n, 30n],
      [9n, 10n],
    ] as const)
      expect(fire(machine, "sizes", { a: v })?.a).toBe(w);
    expect(fire(machine, "both", { a: 77n })).toEqual({ a: 0n });
    expect(fire(machine, "constants", {})).toEqual({ a: 42n, b: 0xffffn });
  });
});

describe("parts of variables", () => {
  test("slices and bits, by constants and by numbers of the machine", async () => {
    const machine = await machineOf(`machine: m
state: { a: bits(8), i: bits(4), f: bool }
transitions:
  slice: { effect: "a[5:2] = 0b1001; a[7] = 1" }
  bit: { effect: "a[i] = 1; f = bool(a[i])" }
`);
    expect(fire(machine, "slice", {})).toEqual({ a: 0xa4n });
    expect(fire(machine, "bit", { i: 3n })).toEqual({ a: 8n, f: 1n });
    expect(fire(machine, "bit", { i: 8n })).toEqual({ a: 0n, f: 0n });
  });
});

const ISA = `machine: isa
state:
  pc: bits(8)
  npc: bits(8)
  r: bits(8)[4]
  mem: { type: bytes(8), faults: { fetch: no_fetch } }
traps: { "no_fetch(at: bits(8))": 1, "illegal_(w: bits(16))": 2 }
fetch: { from: "mem[pc, 2]", length: 2, illegal: illegal_(word) }
next: |
  pc = npc
  npc = npc + 2
registers: { r: [zero, one, two, three] }
instructions:
  add:
    encoding: 00000000 00 rd rs rt
    assembly: add rd, rs, rt
    execute: "r[rd] = r[rs] + r[rt]"
  jump:
    encoding: 00000001 offset[7:0]
    execute: npc = npc + offset
  go:
    encoding: 00000010 target[8:1]
    except: target == 0
    execute: pc = target[7:0]
  maybe:
    encoding: 00000011 rd target[6:1]
    where: rd != 3
    execute: "if r[rd] != 0 { pc = zext(target) }"
`;

describe("instruction sets", () => {
  const at = (word: number): MemoryValue => MemoryValue.empty(8).storeBytes(4n, Uint8Array.of(word & 255, word >> 8));

  test("decoding by guards, fields from bits, the program counter where it is assigned and where not", async () => {
    const machine = await machineOf(ISA);
    const enabled = (state: Given): string[] =>
      machine.transitions.filter((t) => fire(machine, t.name, state) !== undefined).map((t) => t.name);
    expect(machine.transitions.map((t) => t.name)).toEqual(["add", "jump", "go", "maybe", "fetch_fault", "illegal"]);
    const r = file(1, 2, 3, 4);
    const state = (word: number): Given => ({ pc: 4n, npc: 6n, r, mem: at(word) });
    expect(enabled(state(0b0000000000_01_10_11))).toEqual(["add"]);
    expect(fire(machine, "add", state(0b0000000000_01_10_11))).toEqual({ r: file(1, 7, 3, 4), pc: 6n, npc: 8n });
    // A delay slot: the jump changes what comes after next.
    expect(fire(machine, "jump", state(0x0110))).toEqual({ pc: 0x16n, npc: 0x18n });
    expect(fire(machine, "go", state(0x0288))).toEqual({ pc: 0x10n });
    expect(fire(machine, "maybe", state(0x0300 | (1 << 6) | 5))).toEqual({ pc: 10n, npc: 6n });
    expect(fire(machine, "maybe", { ...state(0x0300 | 5), r: file(0, 0, 0, 0) })).toEqual({ pc: 6n, npc: 8n });
    // `except` and `where` leave words that are no instruction.
    expect(enabled(state(0x0200))).toEqual(["illegal"]);
    expect(enabled(state(0x03c5))).toEqual(["illegal"]);
    expect(fire(machine, "illegal", state(0xffff))).toEqual({ illegal_: file(0xffff) });
    expect(
      fire(machine, "fetch_fault", {
        ...state(0),
        mem: at(0).withPermissions((how, a) => how !== "fetch" || a !== 5n),
      }),
    ).toEqual({
      no_fetch: file(4),
    });
    // One word, one transition: every one of them.
    for (let word = 0; word < 0x10000; word += 0x49) expect(enabled(state(word)), String(word)).toHaveLength(1);
  });

  test("what the assembler needs", async () => {
    const machine = await machineOf(ISA);
    const set = machine.instructionSet;
    expect(set?.programCounter).toBe("pc");
    expect([...(set?.fieldFiles.get("add") ?? [])]).toEqual([
      ["rd", { file: "r", first: 0 }],
      ["rs", { file: "r", first: 0 }],
      ["rt", { file: "r", first: 0 }],
    ]);
    // What `where` asks of a field is no use of it; `target` indexes nothing.
    expect([...(set?.fieldFiles.get("maybe") ?? [])]).toEqual([["rd", { file: "r", first: 0 }]]);
    expect([...(set?.fieldFiles.get("go") ?? [])]).toEqual([]);
    expect([...(set?.registerNames.get("r") ?? [])]).toEqual(["zero", "one", "two", "three"]);
    const go = set?.instructions.find((i) => i.name === "go");
    expect(go?.encoding.fields.map((f) => [f.name, f.width, f.pieces])).toEqual([
      ["target", 9, [{ at: 0, lo: 1, width: 8 }]],
    ]);
    const constraint = go?.encoding.constraint;
    expect(constraint === undefined ? undefined : evaluatorOf({ "go(target)": 2n }).holds(constraint)).toBe(true);
    expect(constraint === undefined ? undefined : evaluatorOf({ "go(target)": 0n }).holds(constraint)).toBe(false);
  });

  test("the instruction's own effect speaks of its fields, the transition's of the word", async () => {
    const machine = await machineOf(ISA);
    const add = machine.instructionSet?.instructions.find((i) => i.name === "add");
    const r = add?.effect.assigns.get("r");
    const given = { r: file(1, 2, 3, 4), "add(rd)": 0n, "add(rs)": 3n, "add(rt)": 3n };
    expect(r === undefined ? undefined : evaluatorOf(given).value(r)).toEqual(file(8, 2, 3, 4));
  });
});

describe("extending", () => {
  const files = memoryFiles({
    "base.yaml":
      'machine: base\npartial: true\nparameters: { W: 32, FAST: false }\nstate: { a: bits(W) }\nfunctions:\n  "step(): bits(W)": |\n    if FAST { a + 2 } else { a + 1 }\n',
    "spec/deep/extra.yaml":
      "machine: extra\npartial: true\nstate: { b: bits(2 * W) }\ntransitions:\n  widen: { effect: b = zext(a) }\n",
    "m.yaml":
      "machine: m\nparameters: { SPEED: true }\nextends: [{ base: base, with: { W: 8, FAST: SPEED } }, extra, base.yaml]\ntransitions:\n  go: { effect: a = step() }\n",
    "good.yaml":
      'machine: good\nparameters: { SPEED: true }\nextends: [{ base: base, with: { W: 4 + 4, FAST: "!SPEED" } }, extra]\ntransitions:\n  go: { effect: a = step() }\n',
    "dead.yaml":
      'machine: dead\nextends: { base: base, with: { W: 8 } }\ntransitions:\n  go: { effect: "if W == 64 { a[63:32] = 0 } else { a = 1 }" }\n',
  });

  test("parameters go down, names come up, a base is merged once", async () => {
    const machine = await loadMachine("good.yaml", { files });
    expect(machine.variables.map((v) => [v.name, v.sort])).toMatchObject([
      ["a", { width: 8 }],
      ["b", { width: 16 }],
    ]);
    expect(fire(machine, "go", { a: 5n })).toEqual({ a: 6n });
    const fast = await loadMachine("good.yaml", { files, parameters: { SPEED: false } });
    expect(fire(fast, "go", { a: 5n })).toEqual({ a: 7n });
    expect(fast.digest).not.toBe(machine.digest);
    expect(short(await mistakes(loadMachine("good.yaml", { files, parameters: { SPED: 1 } })))).toEqual([
      "1:1 E_PARAMETER",
    ]);
  });

  test("the same base with other parameters is a mistake", async () => {
    expect(short(await mistakes(loadMachine("m.yaml", { files })))).toEqual(["3:63 E_EXTENDS"]);
  });

  test("a branch that parameters rule out is not checked", async () => {
    const machine = await loadMachine("dead.yaml", { files });
    expect(fire(machine, "go", {})).toEqual({ a: 1n });
  });

  test("a part alone is no machine", async () => {
    expect(short(await mistakes(loadMachine("base.yaml", { files })))).toEqual(["1:1 E_EXTENDS"]);
  });
});

test("the digest is of all that was read", async () => {
  const text = "machine: m\nstate: { a: bits(4) }\n";
  const one = await machineOf(text);
  expect(one.digest).toMatch(/^[0-9a-f]{64}$/);
  expect((await machineOf(text)).digest).toBe(one.digest);
  expect((await machineOf(`${text}# changed\n`)).digest).not.toBe(one.digest);
  const extended = "machine: m\nextends: b\n";
  const base = await machineOf(extended, { "b.yaml": text });
  expect((await machineOf(extended, { "b.yaml": `${text}\n` })).digest).not.toBe(base.digest);
});
