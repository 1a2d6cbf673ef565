/** Whatever the input, the front end answers with a machine or with diagnostics: it neither crashes nor hangs. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../../../refinement/errors.js";
import { loadMachine, loadRefinement } from "../../../spec/notation/index.js";
import { machineOf, memoryFiles, refinementOf } from "./memory-files.js";

/** Milliseconds that one small input may take, however busy the computer. */
const PATIENCE = 30_000;

async function survives(loading: Promise<unknown>): Promise<string> {
  const start = performance.now();
  try {
    await loading;
    return "fine";
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.diagnostics.length).toBeGreaterThan(0);
    for (const { place, message, code } of error.diagnostics) {
      expect(place.line).toBeGreaterThan(0);
      expect(place.column).toBeGreaterThan(0);
      expect(code).toMatch(/^E_[A-Z]+$/);
      expect(message).not.toMatch(/undefined|NaN|\[object/);
    }
    return error.diagnostics.map((d) => d.code).join(" ");
  } finally {
    expect(performance.now() - start).toBeLessThan(PATIENCE);
  }
}

const tiny = readFileSync("spec/tiny/tiny.yaml", "utf8");
const host = readFileSync("impl/tiny-pipeline/tiny-pipeline.yaml", "utf8");
const refinement = readFileSync("impl/tiny-pipeline/refinement.yaml", "utf8");

const PIECES = [
  ...[
    "x[",
    "]",
    "(",
    ")",
    "{",
    "}",
    " == ",
    " <u ",
    " ? ",
    " : ",
    "++",
    "sext(",
    "zext(",
    "match ",
    " => ",
    "_",
    "if ",
    "else",
    "for i in 0..",
    "raise ",
  ],
  ...[
    "let ",
    "var ",
    "=",
    "\n",
    "\n  ",
    ";",
    "|",
    ">",
    "'",
    '"',
    "\\",
    "#",
    "&a",
    "*a",
    "!!str",
    "? ",
    "- ",
    ": ",
    "[0]",
    "999999999999999999999",
    "32'hFF",
  ],
  ...[
    "bits(",
    "bytes(64)",
    "enum { a }",
    "record { a: bool }",
    "0b",
    "0x",
    "then ",
    "with ",
    "choose v: bool",
    "accessible(mem, load, 0, 1)",
    "\t",
    "\u0000",
    "\u{1F600}",
  ],
];

/** A text with a few pieces cut out, doubled, or put in. */
function mutated(text: string): fc.Arbitrary<string> {
  const at = fc.nat(text.length);
  const edit = fc.oneof(
    fc.record({ kind: fc.constant("insert" as const), at, piece: fc.constantFrom(...PIECES) }),
    fc.record({ kind: fc.constant("delete" as const), at, length: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant("copy" as const), at, length: fc.integer({ min: 1, max: 80 }), to: at }),
  );
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    let result = text;
    for (const e of edits) {
      if (e.kind === "insert") result = result.slice(0, e.at) + e.piece + result.slice(e.at);
      else if (e.kind === "delete") result = result.slice(0, e.at) + result.slice(e.at + e.length);
      else result = result.slice(0, e.to) + result.slice(e.at, e.at + e.length) + result.slice(e.to);
    }
    return result;
  });
}

describe("random input", { timeout: 120_000 }, () => {
  test("any text as a file", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 300 }), async (text) => {
        await survives(machineOf(text));
        await survives(refinementOf({ "refinement.yaml": text }));
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test("any pieces of notation as a body", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...PIECES, "a", "b", "1", "mem[0, 1]"), { maxLength: 25 }),
        async (pieces) => {
          const body = JSON.stringify(pieces.join(" "));
          await survives(
            machineOf(
              `machine: m\nstate: { a: bits(8), b: bool, mem: bytes(4), x: "bits(8)[3]" }\ntransitions:\n  t: { effect: ${body} }\n`,
            ),
          );
        },
      ),
      { numRuns: 400, seed: 2 },
    );
  });

  test("real definitions, mutated", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(mutated(tiny), async (text) => {
        for (const code of (await survives(machineOf(text))).split(" ")) seen.add(code);
      }),
      { numRuns: 200, seed: 3 },
    );
    await fc.assert(
      fc.asyncProperty(mutated(refinement), mutated(host), fc.boolean(), async (r, h, which) => {
        const files = {
          "refinement.yaml": (which ? r : refinement).replace("../../spec/tiny/tiny.yaml", "tiny.yaml"),
          "tiny-pipeline.yaml": which ? host : h,
          "tiny.yaml": tiny,
        };
        for (const code of (await survives(refinementOf(files))).split(" ")) seen.add(code);
      }),
      { numRuns: 60, seed: 4 },
    );
    // The mutations reach beyond the parser.
    for (const code of ["fine", "E_SYNTAX", "E_UNKNOWN", "E_YAML", "E_KEY"]) expect([...seen]).toContain(code);
  });
});

const body = (effect: string): string =>
  `machine: m\nstate: { a: bits(8), b: bool }\ntransitions:\n  t:\n    effect: ${JSON.stringify(effect)}\n`;

describe("input meant to do harm", { timeout: 60_000 }, () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["parentheses", body(`a = ${"(".repeat(5000)}1${")".repeat(5000)}`), "E_NESTING"],
    ["unary operators", body(`a = ${"~".repeat(5000)}a`), "E_NESTING"],
    ["choices", body(`a = ${"b ? 1 : ".repeat(5000)}2`), "E_NESTING"],
    ["blocks", body(`${"if b { ".repeat(3000)}a = 1${" }".repeat(3000)}`), "E_NESTING"],
    ["else-ifs", body(`if b { a = 1 }${" else if b { a = 1 }".repeat(3000)}`), "E_NESTING"],
    ["a long sum", body(`a = ${"a + ".repeat(20000)}1`), "E_NESTING"],
    ["indices", body(`a = a${"[7:0]".repeat(3000)}`), "E_NESTING"],
    ["matches", body(`a = ${"match b { true => ".repeat(2000)}1${", false => 2 }".repeat(2000)}`), "E_NESTING"],
    ["a wide type", "machine: m\nstate: { a: bits(99999999999999999999) }\n", "E_RANGE"],
    ["a huge file", 'machine: m\nstate: { a: "bits(8)[4294967296]" }\n', "E_RANGE"],
    ["a huge constant", "machine: m\nconstants: { K: 1 << 100000000 }\n", "E_CONSTANT"],
    [
      "a tower of powers",
      `machine: m\nconstants:\n  K0: 3\n${Array.from({ length: 30 }, (_, i) => `  K${i + 1}: K${i} * K${i}`).join("\n")}\n`,
      "E_CONSTANT",
    ],
    ["a huge literal", body(`a = 0x${"f".repeat(100_000)}`), "E_LITERAL"],
    ["a huge width", body("a = 99999999999'h1"), "E_RANGE"],
    ["loops in loops", body(`${"for i in 0..4000 { ".repeat(5)}a = a + 1${" }".repeat(5)}`), "E_SIZE"],
    [
      "a wide multiplication in a loop",
      `machine: m\nstate: { a: bits(4096) }\ntransitions:\n  t: { effect: "for i in 0..64 { a = a * a + i }" }\n`,
      "fine",
    ],
    [
      "an alias bomb",
      `machine: m\ntitle: &a0 [x, x]\n${Array.from({ length: 30 }, (_, i) => `k${i}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`).join("\n")}\n`,
      "E_SIZE",
    ],
    ["YAML lists in lists", `machine: ${"[".repeat(20_000)}`, ""],
    ["YAML lists in lists that close", `machine: ${"[".repeat(5000)}${"]".repeat(5000)}`, "E_NESTING"],
    ["a tag that YAML knows", "machine: m\nstate: !!binary x\n", "E_YAML"],
    ["tags", "machine: !!js/function 'function () { throw 1 }'\n", "E_YAML"],
    [
      "the prototype",
      "machine: m\n__proto__: { state: 1 }\nconstructor: 2\nstate: { __proto__: bits(8), constructor: bool }\n",
      "E_KEY",
    ],
    ["many documents", "machine: a\n---\nmachine: b\n", "E_YAML"],
    ["a long line", body(`a = 1 ${" ".repeat(500_000)}`), "fine"],
    ["a long name", body(`a = ${"x".repeat(100_000)}`), "E_UNKNOWN"],
    ["an empty file", "", "E_STRUCTURE"],
    ["only a comment", "# nothing\n", "E_STRUCTURE"],
    ["a number", "42\n", "E_STRUCTURE"],
  ];
  for (const [name, text, code] of cases) {
    test(name, async () => {
      const found = await survives(machineOf(text));
      if (code === "") expect(found).not.toBe("fine");
      else expect(found.split(" ")).toContain(code);
    });
  }

  test("a row with a million bits, an exponential overlap", async () => {
    const state = 'state: { pc: bits(8), rom: "bits(64)[256]" }\nfetch: { from: "rom[pc]" }\nnext: pc = pc + 1\n';
    await survives(
      machineOf(`machine: m\n${state}instructions:\n  a: { encoding: "${"01".repeat(500_000)}", execute: pc = 0 }\n`),
    );
    const found = await survives(
      machineOf(
        `machine: m\n${state}instructions:\n  a: { encoding: "f[63:0]", where: "f *f == 7", execute: pc = 0 }\n  b: { encoding: "g[63:0]", where: "g * g == 9", execute: pc = 0 }\n`,
      ),
    );
    expect(found).toBe("E_OVERLAP");
  });

  test("a machine that extends itself through names", async () => {
    const files = memoryFiles({
      "a.yaml": "machine: a\nextends: b\n",
      "b.yaml": "machine: b\nextends: [c, a]\n",
      "c.yaml": "machine: c\nextends: a\n",
    });
    expect(await survives(loadMachine("a.yaml", { files }))).toContain("E_EXTENDS");
    expect(await survives(loadRefinement("a.yaml", { files }))).toContain("E_KEY");
  });

  test("a path that is no file", async () => {
    expect(await survives(loadMachine("spec"))).toBe("E_FILE");
    expect(await survives(loadMachine("/nowhere/at/all.yaml"))).toBe("E_FILE");
    expect(await survives(loadRefinement("spec/tiny"))).toBe("E_FILE");
  });
});
