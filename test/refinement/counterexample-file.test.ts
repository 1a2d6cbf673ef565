import { mkdtemp, readFile, rm, writeFile, chmod, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Counterexample } from "../../refinement/counterexample.js";
import { readCounterexample, writeCounterexample } from "../../refinement/counterexample-file.js";
import { formatCounterexample } from "../../refinement/counterexample-format.js";
import { parseCounterexample } from "../../refinement/counterexample-parse.js";
import { UserError } from "../../refinement/errors.js";

const sample: Counterexample = {
  title: "addiw keeps bits 63..32 of its source: x[10] # not a comment",
  refinement: "my-jit",
  obligation: "commute/cycle/addiw",
  fault: "no-sext",
  found: { by: "prove", solver: "z3-wasm", seed: -7, date: "2026-11-22" },
  machines: { guest: "0123", host: "4567" },
  guest: { code: "1b851500 13000000", assembly: ["addiw a0, a1, 1", "addi zero, zero, 0"], pc: 0x10000n },
  host: undefined,
  state: {
    "x[11]": 0xffff_ffff_0000_0000n,
    "latch[3].valid": 1n,
    pc: 0n,
    "mem[0x1000]": "10203040",
    "mem[0x2000]": "1e55",
    "mem[0x3000]": "ff",
  },
  inaccessible: [{ memory: "mem", access: "load", address: 0x8000n, bytes: 0x1000n }],
  schedule: [
    { transition: "cycle", arguments: {} },
    { transition: "interrupt", arguments: { level: 3n } },
  ],
  differs: [
    { variable: "x[10]", guest: "0x1", host: "0xffffffff00000001" },
    { variable: "trap", guest: "none", host: "illegal" },
    { variable: "enabled", guest: "false", host: "true" },
    { variable: "rank", guest: "below 0x5", host: "0x5" },
  ],
  expect: "refuted",
  cause: { obligation: "commute/cycle/addiw", variable: "x[10]" },
};

/** The example of the documentation: flow mappings with indices in their keys. */
const documented = `counterexample: addiw keeps bits 63..32 of its source
refinement: my-jit
obligation: commute/addiw
found: { by: prove, solver: z3-wasm, date: 2026-11-22 }
guest:  { code: "1b851500", assembly: "addiw a0, a1, 1", pc: 0x10000 }
host:   { code: "8d4601 4898", assembly: ["lea eax, [rsi+1]", "cdqe"] }
state:  { x[11]: 0xffffffff00000000 }          # what is not named is zero
interrupts: []
differs:
  - { variable: x[10], guest: 0x1, host: 0xffffffff00000001 }
expect: refuted        # becomes \`holds\` when the bug is fixed: replay then guards against its return
cause: { obligation: commute/addiw, variable: x[10] }
`;

describe("reading", () => {
  test("what is written is read back", () => {
    expect(parseCounterexample(formatCounterexample(sample), "f.yaml")).toEqual(sample);
    const bare: Counterexample = {
      ...sample,
      fault: undefined,
      guest: undefined,
      state: {},
      inaccessible: [],
      schedule: [],
      differs: [],
    };
    expect(parseCounterexample(formatCounterexample(bare), "f.yaml")).toEqual(bare);
  });

  test("the documented example", () => {
    const c = parseCounterexample(documented, "f.yaml");
    expect(c.state).toEqual({ "x[11]": 0xffff_ffff_0000_0000n });
    expect(c.host?.assembly).toEqual(["lea eax, [rsi+1]", "cdqe"]);
    expect(c.guest?.assembly).toEqual(["addiw a0, a1, 1"]);
    expect(c.differs).toEqual([{ variable: "x[10]", guest: "0x1", host: "0xffffffff00000001" }]);
    expect(c.cause).toEqual({ obligation: "commute/addiw", variable: "x[10]" });
  });

  test.each([
    [
      "expect: refuted",
      "expct: refuted",
      /f\.yaml:11:1: E_SCHEMA: .*no key `expct`; the nearest that there is: `expect`/,
    ],
    ["expect: refuted", "expect: maybe", /f\.yaml:11:9: E_SCHEMA: `expect` is one of `refuted`, `holds`/],
    [
      "obligation: commute/addiw\nf",
      "obligation: comute/addiw\nf",
      /f\.yaml:3:13: E_SCHEMA: `obligation` is `initial`/,
    ],
    ["refinement: my-jit\n", "", /E_SCHEMA: the counterexample lacks the key `refinement`/],
    ["refinement: my-jit", "refinement: 3", /f\.yaml:2:13: E_SCHEMA: `refinement` must be string/],
    ["variable: x[10], guest", "variabel: x[10], guest", /f\.yaml:10:5: E_SCHEMA/],
    ["interrupts: []", "interrupts: [3]", /f\.yaml:8:13: E_SCHEMA: `interrupts` is empty/],
    ["{ x[11]:", "{ x[11]: 1, x[11]:", /f\.yaml:7:\d+: E_YAML: Map keys must be unique/],
    ["expect: refuted", "expect: [", /E_YAML/],
    ["refinement: my-jit", "refinement: *a", /f\.yaml:2:\d+: E_YAML/],
  ])("%j mistyped as %j", (from, to, message) => {
    let text = "";
    try {
      parseCounterexample(documented.replace(from, to), "f.yaml");
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      text = error instanceof Error ? error.message : "";
    }
    expect(text).toMatch(message);
  });

  test("all mistakes at once, in order", () => {
    const text = documented.replace("my-jit", "[]").replace("expect: refuted", "expect: maybe");
    expect(() => parseCounterexample(text, "f.yaml")).toThrow(/^f\.yaml:2:13: .*\nf\.yaml:11:9: [^\n]*$/);
  });

  test("no text crashes the reader", () => {
    const characters = [
      "{",
      "}",
      "[",
      "]",
      ":",
      " ",
      "\n",
      "-",
      "x[1]",
      "0x",
      "'",
      '"',
      "&a",
      "*a",
      "!!map",
      "#",
      "\t",
      "\uE000",
      "|",
      ">",
      "%",
      "\0",
    ];
    for (let seed = 1; seed <= 400; seed++) {
      let at = seed * 7919;
      const junk = Array.from({ length: 1 + (seed % 9) }, () => {
        at = (at * 48271) % 2147483647;
        return characters[at % characters.length];
      }).join("");
      const cut = at % documented.length;
      for (const text of [junk, documented.slice(0, cut) + junk + documented.slice(cut), documented.slice(0, cut)]) {
        try {
          parseCounterexample(text, "f.yaml");
        } catch (error) {
          if (!(error instanceof UserError)) throw new Error(`crashes on ${JSON.stringify(text)}`, { cause: error });
        }
      }
    }
  });
});

describe("files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "commute-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("a file that is not there", async () => {
    await expect(readCounterexample(join(folder, "none.yaml"))).rejects.toThrow(
      /none\.yaml: cannot be read: there is no/,
    );
    expect(() => parseCounterexample("", "empty.yaml")).toThrow("empty.yaml:1:1: E_SCHEMA: this is no counterexample");
  });

  test("one cause keeps its file, another gets its own", async () => {
    const first = await writeCounterexample(folder, sample);
    expect(first).toBe(join(folder, "my-jit", "commute-cycle-addiw-1.yaml"));
    const smaller = { ...sample, state: {}, cause: { ...sample.cause, variable: "x[1]" } };
    expect(await writeCounterexample(folder, smaller)).toBe(first);
    expect(await readCounterexample(first)).toEqual(smaller);
    const other = { ...sample, cause: { ...sample.cause, variable: "pc" } };
    expect(await writeCounterexample(folder, other)).toBe(join(folder, "my-jit", "commute-cycle-addiw-2.yaml"));
    const unseeded = { ...sample, fault: undefined };
    expect(await writeCounterexample(folder, unseeded)).toBe(join(folder, "my-jit", "commute-cycle-addiw-3.yaml"));
    expect(await writeCounterexample(folder, other)).toBe(join(folder, "my-jit", "commute-cycle-addiw-2.yaml"));
    expect(await readCounterexample(first)).toEqual(smaller);
  });

  test("a file that expects `holds`, or that cannot be read, is never overwritten", async () => {
    const path = await writeCounterexample(folder, { ...sample, expect: "holds" });
    expect(await writeCounterexample(folder, sample)).toBe(path);
    expect((await readCounterexample(path)).expect).toBe("holds");
    await writeFile(path, "junk: [");
    expect(await writeCounterexample(folder, sample)).toBe(join(folder, "my-jit", "commute-cycle-addiw-2.yaml"));
    expect(await readFile(path, "utf8")).toBe("junk: [");
  });

  test("two writers at once lose nothing", async () => {
    const causes = ["a", "b", "c", "d", "e", "f"].map((variable) => ({
      ...sample,
      cause: { ...sample.cause, variable },
    }));
    const paths = await Promise.all(causes.map((c) => writeCounterexample(folder, c)));
    expect(new Set(paths).size).toBe(causes.length);
    for (const [i, path] of paths.entries()) expect(await readCounterexample(path)).toEqual(causes[i]);
  });

  test("names cannot leave the folder", async () => {
    const path = await writeCounterexample(folder, {
      ...sample,
      refinement: "../../etc",
      obligation: "commute/../../../x",
    });
    expect(path.startsWith(`${folder}/`)).toBe(true);
    expect(path).not.toMatch(/\/\.\.?\//);
  });

  test("a folder that cannot be written is the user's mistake", async () => {
    await writeFile(join(folder, "taken"), "");
    await expect(writeCounterexample(join(folder, "taken"), sample)).rejects.toThrow(UserError);
    await mkdir(join(folder, "closed"));
    await chmod(join(folder, "closed"), 0o500);
    if (process.getuid?.() !== 0)
      await expect(writeCounterexample(join(folder, "closed"), sample)).rejects.toThrow(/cannot save/);
  });
});
