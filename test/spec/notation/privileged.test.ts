/** Functions given anew, constants for parameters, functions kept by name, and machines that take their own traps. */
import { expect, test } from "vitest";
import { type Arguments, environment, fire, stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import { type Machine, transition } from "../../../refinement/machine.js";
import { Unfolding } from "../../../refinement/terms/definitions.js";
import { Evaluator } from "../../../refinement/terms/evaluate.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { machineOf, memoryFiles } from "./memory-files.js";

function after(machine: Machine, name: string, given: Readonly<Record<string, Value>>, args?: Arguments): State {
  const found = transition(machine, name);
  if (found === undefined) throw new Error(`no transition ${name}`);
  return fire(machine, found, new Map([...zeroState(machine), ...Object.entries(given)]), args);
}

test("a function given anew is meant by everything that calls it, and a number is a constant of each call", async () => {
  const base = `machine: base
partial: true
state: { a: bits(16), mem: bytes(8) }
functions:
  "read(at: bits(8), n: number): bits(8 * n)": mem[at, n]
  "twice(at: bits(8)): bits(16)": read(at, 1) ++ read(at, 1)
transitions:
  one: { effect: "a = zext(read(2, 1))" }
  two: { effect: "a = read(2, 2)" }
  both: { effect: a = twice(2) }
`;
  const derived = `machine: derived
extends: base
overrides:
  "read(at: bits(8), n: number): bits(8 * n)": mem[at + n, n]
`;
  const machine = await loadMachine("derived.yaml", {
    files: memoryFiles({ "base.yaml": base, "derived.yaml": derived }),
  });
  const mem = MemoryValue.empty(8).storeBytes(0n, Uint8Array.of(0, 1, 2, 3, 4, 5, 6));
  expect(after(machine, "one", { mem }).get("a")).toBe(3n);
  expect(after(machine, "two", { mem }).get("a")).toBe(0x0504n);
  expect(after(machine, "both", { mem }).get("a")).toBe(0x0303n);
});

const MEMOIZED = `machine: memo
state: { a: bits(8), b: bits(8), f: "bits(8)[4]", mem: bytes(8) }
memoized:
  "look(x: bits(8), deep: bool): record { sum: bits(8), odd: bool }": |
    let y = deep ? f[x[1:0]] : mem[x, 1]
    { sum: y + b, odd: y[0] == 1 }
functions:
  "plain(x: bits(8), deep: bool): bits(8)": |
    let y = deep ? f[x[1:0]] : mem[x, 1]
    y + b
transitions:
  look: { effect: "a = look(a, true).sum ^ (look(a, false).odd ? 128 : 0)" }
  later: { effect: "b = 7; mem[a, 1] = 9; a = look(a, false).sum" }
  plain: { effect: "b = 7; mem[a, 1] = 9; a = plain(a, false)" }
`;

test("a memoized function means what it means inlined, in the state where it is called", async () => {
  const machine = await machineOf(MEMOIZED);
  const given = {
    a: 5n,
    b: 3n,
    f: new FileValue([0n, 40n, 0n, 0n]),
    mem: MemoryValue.empty(8).store(5n, 1, 11n),
  };
  expect(after(machine, "look", given).get("a")).toBe((40n + 3n) ^ 128n);
  expect(after(machine, "later", given).get("a")).toBe(16n);
  expect(after(machine, "later", given)).toEqual(after(machine, "plain", given));
});

test("unfolded, it is the very term that the inlined one is", async () => {
  const machine = await machineOf(MEMOIZED);
  const [a, b] = ["later", "plain"].map((name) => transition(machine, name)?.effect.assigns.get("a"));
  if (a === undefined || b === undefined) throw new Error("nothing is assigned");
  expect(a).not.toBe(b);
  expect(new Unfolding().apply(a)).toBe(b);
});

const HANDLED = `machine: handled
state:
  pc: bits(8)
  x: "bits(8)[4]"
  mem: { type: bytes(8), faults: { fetch: no_fetch } }
  cause: bits(3)
  value: bits(16)
  back: bits(8)
  count: bits(8)
  halted: bool
traps:
  no_fetch(at: bits(8)): 1
  illegal(word: bits(16)): 2
  big(a: bits(8), b: bits(4)): 5
fetch: { from: "mem[pc, 2]", length: 2, illegal: illegal(word), when: "!halted" }
next: pc = pc + length
retire: count = count + 1
handler: enter
functions:
  "enter(why: bits(3), what: bits(16))": |
    cause = why
    value = what
    back = pc
    pc = 128
instructions:
  add:
    encoding: 0000 rd rs1 imm[7:0]
    execute: |
      x[rd] = x[rs1] + imm
      if x[rd] >u 200 { raise big(x[rd], 4'd9) }
  odd:
    encoding: 0001 rd 00 imm[7:0]
    execute: |
      x[rd] = word[15:8]
      if imm == 1 { raise illegal(word) }
  halt:
    encoding: 1111 000000000000
    execute: halted = true
transitions:
  resume: { guard: halted, effect: halted = false }
`;

function run(machine: Machine, words: readonly number[], given: Readonly<Record<string, Value>>, steps: number): State {
  let mem = MemoryValue.empty(8, (_, at) => at < 100n);
  words.forEach((w, i) => {
    mem = mem.store(BigInt(2 * i), 2, BigInt(w));
  });
  let state: State = new Map([...zeroState(machine), ["mem", mem], ...Object.entries(given)]);
  for (let i = 0; i < steps; i++) state = stepAny(machine, state)?.state ?? state;
  return state;
}

test("a machine takes its own traps: what was assigned is undone, the handler starts from the state before", async () => {
  const machine = await machineOf(HANDLED);
  expect(machine.traps).toEqual([]);
  expect(machine.variables.some((v) => v.name === "trap")).toBe(false);
  const x = new FileValue([0n, 150n, 0n, 0n]);
  const kept = run(machine, [0x0532], { x }, 1);
  expect([kept.get("x"), kept.get("pc"), kept.get("count")]).toEqual([x.set(1n, 200n), 2n, 1n]);
  const trapped = run(machine, [0x0533], { x }, 1);
  expect([trapped.get("x"), trapped.get("pc"), trapped.get("back")]).toEqual([x, 128n, 0n]);
  // 201 and 9, side by side; a trap does not retire
  expect([trapped.get("cause"), trapped.get("value"), trapped.get("count")]).toEqual([5n, 0xc99n, 0n]);
  const unknown = run(machine, [0x0500, 0x2345], {}, 2);
  expect([unknown.get("cause"), unknown.get("value"), unknown.get("back"), unknown.get("count")]).toEqual([
    2n,
    0x2345n,
    2n,
    1n,
  ]);
  const nowhere = run(machine, [], { pc: 100n }, 1);
  expect([nowhere.get("cause"), nowhere.get("value"), nowhere.get("pc")]).toEqual([1n, 100n, 128n]);
});

test("`word` is the instruction's own word, in the transition and over the fields", async () => {
  const machine = await machineOf(HANDLED);
  expect(run(machine, [0x1844], {}, 1).get("x")).toEqual(new FileValue([0n, 0n, 0x18n, 0n]));
  const raised = run(machine, [0x1801], {}, 1);
  expect([raised.get("cause"), raised.get("value")]).toEqual([2n, 0x1801n]);
  const odd = machine.instructionSet?.instructions.find((i) => i.name === "odd");
  const term = odd?.effect.assigns.get("value");
  if (odd === undefined || term === undefined) throw new Error("it assigns nothing");
  const inputs = new Map<string, bigint>([
    ["odd(rd)", 2n],
    ["odd(imm)", 1n],
  ]);
  const at = environment(zeroState(machine));
  const value = new Evaluator({ variable: (t) => inputs.get(t.name) ?? at.variable(t) }).value(term);
  expect(value).toBe(0x1801n);
});

test("`when` keeps the machine from fetching, and from the traps of fetching", async () => {
  const machine = await machineOf(HANDLED);
  const halted = run(machine, [0xf000, 0x0501], {}, 1);
  expect(halted.get("halted")).toBe(1n);
  expect(stepAny(machine, halted)?.transition.name).toBe("resume");
  expect(run(machine, [0xf000, 0x0501], {}, 3).get("count")).toBe(2n);
  expect(stepAny(machine, new Map([...halted, ["pc", 200n]]))?.transition.name).toBe("resume");
});
