import { describe, expect, test } from "vitest";
import { recordOfState, stateOfRecord } from "../../refinement/counterexample-state.js";
import { UserError } from "../../refinement/errors.js";
import { MemoryValue, valueEquals } from "../../refinement/terms/value.js";
import { states } from "../../properties/arbitraries/states.js";
import { randomAt } from "../../properties/random.js";
import { running } from "../../properties/start.js";
import { stateOnly } from "./small-machine.js";

const machine = stateOnly();

describe("a state as a record", () => {
  test("names what is not zero, memory in runs of bytes", () => {
    const record = {
      pc: 0x1000n,
      phase: 2n,
      "x[11]": 0xffn,
      "latch[3].valid": 1n,
      "mem[0x1000]": "b30273000001",
      "mem[0x2000]": "ff",
    };
    expect(recordOfState(machine, stateOfRecord(machine, record))).toEqual(record);
    expect(recordOfState(machine, stateOfRecord(machine, {}))).toEqual({});
  });

  test("gives back every state that was drawn, permissions included", () => {
    for (let seed = 0; seed < 50; seed++) {
      const start = states(machine).draw(randomAt(seed));
      const state = running(start);
      const back = stateOfRecord(machine, recordOfState(machine, state), start.inaccessible);
      for (const [name, value] of state) {
        const other = back.get(name);
        expect(other !== undefined && valueEquals(value, other), `${name}, seed ${seed}`).toBe(true);
      }
      const [mem, again] = [state.get("mem"), back.get("mem")];
      if (!(mem instanceof MemoryValue) || !(again instanceof MemoryValue)) throw new Error("no memory");
      for (const { access, address, bytes } of start.inaccessible) {
        expect(again.accessible(access, address, 1)).toBe(false);
        expect(again.accessible(access, address + bytes, 1)).toBe(mem.accessible(access, address + bytes, 1));
      }
    }
  });

  test("permissions wrap around the address space", () => {
    const denied = [{ memory: "mem", access: "load" as const, address: 0xffff_fffen, bytes: 4n }];
    const mem = stateOfRecord(machine, {}, denied).get("mem");
    if (!(mem instanceof MemoryValue)) throw new Error("no memory");
    expect([0xffff_fffdn, 0xffff_fffen, 0xffff_ffffn, 0n, 1n, 2n].map((a) => mem.accessible("load", a, 1))).toEqual([
      true,
      false,
      false,
      false,
      false,
      true,
    ]);
    expect(mem.accessible("store", 0n, 4)).toBe(true);
  });

  test.each([
    [{ y: 1n }, /no variable `y`; the nearest that it has is `x`|no variable `y`; the nearest that it has is `pc`/],
    [{ "x[32]": 1n }, /the elements 0 to 31/],
    [{ x: 1n }, /does not name an element/],
    [{ "pc[1]": 1n }, /has an index, but pc of machine state-only is a single value/],
    [{ pc: 1n << 32n }, /a number of 32 bits, not 0x100000000/],
    [{ pc: "abc" }, /a number of 32 bits, not "abc"/],
    [{ busy: 2n }, /a number of 1 bits/],
    [{ mem: "00" }, /needs an address/],
    [{ "mem[0x100000000]": "00" }, /beyond the 32-bit addresses/],
    [{ "mem[0]": "0" }, /two digits each/],
    [{ "mem[0]": 16n }, /two digits each/],
  ])("%o is refused", (record, message) => {
    expect(() => stateOfRecord(machine, record)).toThrow(UserError);
    expect(() => stateOfRecord(machine, record)).toThrow(message);
  });

  test("every mistake is named at once", () => {
    expect(() =>
      stateOfRecord(machine, { y: 1n, "x[40]": 1n }, [{ memory: "rom", access: "load", address: 0n, bytes: 1n }]),
    ).toThrow(/`y`.*\n.*`x\[40\]`.*\n.*`rom`/);
  });
});
