import { expect, test } from "vitest";
import { agreeing } from "../../properties/emulator-choices.js";
import type { State } from "../../refinement/execute/state.js";
import type { Parameter } from "../../refinement/machine.js";
import { variable } from "../../refinement/terms/build.js";
import { bits } from "../../refinement/terms/sort.js";
import { FileValue, MemoryValue, type Value } from "../../refinement/terms/value.js";
import { stateOnly } from "../refinement/small-machine.js";

const machine = stateOnly();

const choice = (name: string, width: number): Parameter => ({
  name,
  type: { kind: "bits", width },
  term: variable(`t(${name})`, bits(width)),
});

function state(of: Readonly<Record<string, Value>>): State {
  return new Map(Object.entries({ pc: 0n, busy: 0n, phase: 0n, mem: MemoryValue.empty(32), ...of }));
}

type Choices = ReadonlyMap<string, bigint>;

test("a flag and a number that are left open are taken as they are shown", () => {
  const outcome = (c: Choices): State => state({ pc: (c.get("v") ?? 0n) << 4n, busy: c.get("f") ?? 0n });
  const shown = state({ pc: 0xab0n, busy: 1n });
  expect(agreeing(machine, [choice("v", 8), choice("f", 1)], outcome, shown)).toEqual(shown);
});

test("a bit that is turned over is seen as well", () => {
  const outcome = (c: Choices): State => state({ pc: 0xffn ^ (c.get("v") ?? 0n) });
  const shown = state({ pc: 0x5an });
  expect(agreeing(machine, [choice("v", 8)], outcome, shown)).toEqual(shown);
});

test("so are memory and files", () => {
  const outcome = (c: Choices): State =>
    state({
      mem: MemoryValue.empty(32).store(0x10n, 2, c.get("v") ?? 0n),
      x: FileValue.filled(32).set(3n, c.get("w") ?? 0n),
    });
  const shown = outcome(
    new Map([
      ["v", 0xbeefn],
      ["w", 0x77n],
    ]),
  );
  const found = agreeing(machine, [choice("v", 16), choice("w", 8)], outcome, shown);
  expect(found.get("mem")).toEqual(shown.get("mem"));
  expect(found.get("x")).toEqual(shown.get("x"));
});

test("what is not left open stays, whatever is shown", () => {
  const outcome = (c: Choices): State => state({ pc: 0x100n | ((c.get("v") ?? 0n) & 1n), busy: 1n });
  const found = agreeing(machine, [choice("v", 8)], outcome, state({ pc: 0xff01n, busy: 0n }));
  expect(found.get("pc")).toBe(0x101n);
  expect(found.get("busy")).toBe(1n);
});
