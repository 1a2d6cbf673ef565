/** The published schemas, what is generated from them, and the readers behind them say the same. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { Diagnostics } from "../../../../spec/notation/diagnostics.js";
import { MACHINE_KEYS } from "../../../../spec/notation/read/machine-file.js";
import { REFINEMENT_KEYS } from "../../../../spec/notation/refinement/file.js";
import { generated, schemas } from "../../../../spec/notation/schema/generate.js";
import { plain, validate } from "../../../../spec/notation/schema/validate.js";
import { readYaml } from "../../../../spec/notation/yaml/tree.js";

describe("what is generated from the schemas is up to date", () => {
  for (const [path, text] of generated()) {
    test(path, () => {
      const found = readFileSync(path, "utf8");
      if (path.endsWith(".json")) expect(JSON.parse(found)).toEqual(JSON.parse(text));
      else expect(found).toBe(text);
    });
  }
});

test("the readers know the keys that the schemas know", () => {
  expect(Object.keys(schemas.machine.properties ?? {}).sort()).toEqual([...MACHINE_KEYS].sort());
  expect(Object.keys(schemas.refinement.properties ?? {}).sort()).toEqual([...REFINEMENT_KEYS].sort());
});

test("every key has a description, for editors", () => {
  const bare: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === "properties" && typeof value === "object" && value !== null) {
        for (const [name, schema] of Object.entries(value))
          if (typeof schema !== "object" || schema === null || !("description" in schema)) bare.push(`${path}/${name}`);
      }
      visit(value, `${path}/${key}`);
    }
  };
  for (const name of ["machine", "refinement", "stack", "counterexample"])
    visit(JSON.parse(readFileSync(`schema/${name}.schema.json`, "utf8")), name);
  expect(bare.filter((p) => !p.startsWith("counterexample"))).toEqual([]);
});

const STACK = `stack: compat
title: Windows programs on Linux
pieces:
  app: { needs: [{ abi: { isa: x86-64, os: windows } }], on: [layer], count: 2 }
  layer: { offers: [{ abi: { isa: x86-64, os: windows } }], needs: [{ abi: { isa: x86-64, os: linux } }], on: [linux], refinement: abi }
  linux: { offers: [{ abi: { isa: x86-64, os: linux } }], needs: [{ isa: x86-64 }], on: [cpu] }
  cpu: { offers: [{ isa: x86-64 }] }
`;

describe("stack files", () => {
  const problems = (text: string): readonly string[] => {
    const diagnostics = new Diagnostics();
    const root = readYaml("s.yaml", text, diagnostics);
    if (root !== undefined) validate("stack", root, diagnostics);
    return diagnostics.list().map((d) => `${d.place.line}:${d.place.column} ${d.code} ${d.message}`);
  };
  test("a right one", () => expect(problems(STACK)).toEqual([]));
  test("wrong ones", () => {
    expect(problems(STACK.replace("{ isa: x86-64 }]", "{ isa: x86-64, api: c }]"))).toEqual([
      "6:67 E_STRUCTURE an interface has exactly one of isa, abi, api",
    ]);
    expect(problems(STACK.replace("count: 2", "count: none"))).toEqual([
      "4:78 E_STRUCTURE `count` must be a whole number, not `none`",
    ]);
    expect(problems(STACK.replace("count: 2", "count: 0"))).toEqual([
      "4:78 E_STRUCTURE `count` must be at least 1, not `0`",
    ]);
    expect(problems("stack: s\n")).toEqual(["1:1 E_STRUCTURE a stack file needs `pieces`: Pieces by name."]);
  });
});

test("the compiled validators agree with ajv on the schemas as published", () => {
  const texts = [
    ["machine", readFileSync("spec/riscv/i.yaml", "utf8")],
    ["machine", readFileSync("impl/pipeline/pipeline.yaml", "utf8")],
    ["machine", readFileSync("test/broken/notation/E_KEY.yaml", "utf8")],
    ["machine", readFileSync("test/broken/notation/E_STRUCTURE.yaml", "utf8")],
    ["refinement", readFileSync("impl/pipeline/refinement.yaml", "utf8")],
    ["refinement", readFileSync("impl/qemu-lockstep/refinement.yaml", "utf8")],
    ["stack", STACK],
  ] as const;
  for (const [kind, text] of texts) {
    const diagnostics = new Diagnostics();
    const root = readYaml("f.yaml", text, diagnostics);
    if (root === undefined) throw new Error("it is YAML");
    const published: unknown = JSON.parse(readFileSync(`schema/${kind}.schema.json`, "utf8"));
    if (typeof published !== "object" || published === null) throw new Error("it is a schema");
    const ajv = new Ajv({ allowUnionTypes: true });
    expect(validate(kind, root, diagnostics)).toBe(ajv.validate(published, plain(root)));
  }
});
