import type { Machine, StateVariable, Type } from "../../refinement/machine.js";
import { TRUE, variable } from "../../refinement/terms/build.js";
import { BOOL, bits, file, memory, type Sort } from "../../refinement/terms/sort.js";

function sortOf(type: Type): Sort {
  switch (type.kind) {
    case "bool":
      return BOOL;
    case "bits":
      return bits(type.width);
    case "enum":
      return bits(Math.max(1, Math.ceil(Math.log2(type.members.length))));
    case "file":
      return file(type.count, type.element.kind === "bits" ? type.element.width : 1);
    case "memory":
      return memory(type.address);
  }
}

export function stateVariable(name: string, type: Type, fixed: ReadonlyMap<number, bigint> = new Map()): StateVariable {
  const sort = sortOf(type);
  return { name, type, sort, term: variable(name, sort), fixed, faults: {}, implicit: false };
}

/** A machine with a state of every kind and no transitions. */
export function stateOnly(): Machine {
  return {
    name: "state-only",
    title: "every kind of variable",
    source: undefined,
    file: "state-only.yaml",
    variables: [
      stateVariable("pc", { kind: "bits", width: 32 }),
      stateVariable("busy", { kind: "bool" }),
      stateVariable("phase", { kind: "enum", name: "Phase", members: ["fetch", "execute", "done"] }),
      stateVariable("x", { kind: "file", count: 32, element: { kind: "bits", width: 64 } }, new Map([[0, 0n]])),
      stateVariable("latch.valid", { kind: "file", count: 4, element: { kind: "bool" } }),
      stateVariable("mem", { kind: "memory", address: 32 }),
    ],
    traps: [],
    wellFormed: TRUE,
    initial: TRUE,
    transitions: [],
    instructionSet: undefined,
    digest: "0123",
  };
}
