/** The machines that docs/notation.md shows are machines. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { BUILT_IN, OPERAND_FUNCTIONS } from "../../../spec/notation/elaborate/built-in.js";
import { MACHINE_KEYS } from "../../../spec/notation/read/machine-file.js";
import { REFINEMENT_KEYS } from "../../../spec/notation/refinement/file.js";
import { machineOf, refinementOf } from "./memory-files.js";

const docs = readFileSync("docs/notation.md", "utf8");
const shown = [...docs.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((m) => m[1] ?? "");

const HOST = `machine: buffer
state: { n: bits(8), limit: bits(8), down: bool, pending: bool, by: bits(4), over: bool }
functions:
  "commit()": |
    if pending { n = n + zext(by) }
    pending = false
transitions:
  "put(by: bits(4))": { guard: "!pending", effect: pending = true }
  settle: { guard: pending, effect: commit() }
  reset: { effect: n = 0; down = false }
`;

test("the machines and the refinements shown", async () => {
  expect(shown).toHaveLength(7);
  const [counter = "", little = "", buffered = "", jit = "", , helpers = "", known = ""] = shown;
  expect((await machineOf(counter)).transitions.map((t) => t.name)).toEqual(["count", "reset"]);
  expect((await machineOf(little)).transitions.map((t) => t.name)).toEqual([
    "add",
    "load",
    "beqz",
    "fetch_fault",
    "illegal",
  ]);
  const loaded = await refinementOf({ "refinement.yaml": buffered, "counter.yaml": counter, "buffer.yaml": HOST });
  expect(loaded.name).toBe("buffered");
  const spec = readdirSync("spec", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
  const machines = Object.fromEntries(spec.map((name) => [`spec/${name}`, readFileSync(`spec/${name}`, "utf8")]));
  expect((await refinementOf({ ...machines, "refinement.yaml": jit })).name).toBe("my-jit");
  const calling = `${jit.replace("guest: rv64im", "guest: services")}${helpers}`;
  const services = `machine: services
extends: rv64im
uninterpreted: { "service(number: bits(64), argument: bits(64))": bits(64) }
`;
  const called = await refinementOf({ ...machines, "refinement.yaml": calling, "services.yaml": services });
  expect(called.form === "translator" && [...called.helpers.keys()]).toEqual(["helper_divu", "helper_service"]);
  const departs = `machine: as-qemu
extends: rv64im
parameters: { CTZW: false }
state: { loaded: bits(64) }
`;
  const files = { ...machines, "refinement.yaml": `${jit}${known.replaceAll("rbp", "rdi")}`, "as-qemu.yaml": departs };
  const told = await refinementOf(files);
  expect(told.form === "translator" && [...(told.known?.findings ?? [])]).toEqual([["ctzw", "CTZW"]]);
});

test("every key and built-in function is described", () => {
  for (const key of [...MACHINE_KEYS, ...REFINEMENT_KEYS]) expect(docs).toMatch(new RegExp(`\`${key}\``));
  for (const name of [...BUILT_IN, ...OPERAND_FUNCTIONS]) expect(docs).toMatch(new RegExp(`\`${name}\\(`));
});
