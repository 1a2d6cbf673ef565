/** Translators that crash, hang, flood and lie: each costs its block a named error, and the next one is answered. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { openCommand } from "../../../refinement/translation/command.js";
import { readAnswer } from "../../../refinement/translation/protocol.js";
import type { Exit, TranslationAnswer } from "../../../refinement/translation.js";

const RIGHT = {
  id: 1,
  host: { address: "0x1000", code: "c3" },
  entry: "0x1000",
  exits: [
    { host: "0x1000", guest: "0x4" },
    { host: "0x1001", trap: "over", value: { region: "context", offset: "0xfffffffffffffff8", bytes: 4 } },
    { host: "0x1002", trap: "over", value: { register: "rsi" } },
    { host: "0x1003", trap: "over", value: "0x6" },
  ],
};

function valued(value: unknown): unknown {
  return { ...RIGHT, exits: [{ host: "0x1000", trap: "over", value }] };
}

function trapping(host: bigint): Exit {
  return { host, guest: undefined, interrupt: false, trap: "over" };
}

describe("an answer", () => {
  test("is read", () => {
    expect(readAnswer(JSON.stringify(RIGHT), 1)).toEqual({
      kind: "translated",
      translation: {
        host: { address: 0x1000n, code: Uint8Array.of(0xc3), data: [] },
        entry: 0x1000n,
        points: [],
        faults: [],
        exits: [
          { host: 0x1000n, guest: 4n, interrupt: false, trap: undefined },
          { ...trapping(0x1001n), value: { kind: "memory", region: "context", offset: -8n, bytes: 4 } },
          { ...trapping(0x1002n), value: { kind: "register", register: "rsi" } },
          { ...trapping(0x1003n), value: { kind: "constant", value: 6n } },
        ],
        calls: [],
      },
    });
    expect(readAnswer('{"id": 1, "unsupported": "fence.i"}', 1)).toEqual({ kind: "unsupported", what: "fence.i" });
  });

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["for another request", { ...RIGHT, id: 2 }, /for request 2, not 1/],
    ["without a request", { ...RIGHT, id: undefined }, /for request nothing, not 1/],
    ["that is no object", [RIGHT], /must be an object, not \[/],
    [
      "without code",
      { ...RIGHT, host: { address: "0x1000" } },
      /`host.code` must be bytes in hexadecimal.*, not nothing/,
    ],
    ["with half a byte", { ...RIGHT, host: { address: "0x1000", code: "c" } }, /`host.code` must be bytes/],
    ["with no bytes", { ...RIGHT, host: { address: "0x1000", code: "" } }, /`host.code` is empty/],
    ["with a number for an address", { ...RIGHT, entry: 4096 }, /`entry` must be a hexadecimal address.*, not 4096/],
    ["with an address of 65 bits", { ...RIGHT, entry: "0x10000000000000000" }, /`entry` must be a hexadecimal address/],
    [
      "with code past the last address",
      { ...RIGHT, host: { address: "0xffffffffffffffff", code: "c3" } },
      /does not fit/,
    ],
    ["without exits", { ...RIGHT, exits: undefined }, /`exits` must be a list, not nothing/],
    ["with an exit that is none", { ...RIGHT, exits: [5] }, /`exits\[0\]` must be an object, not 5/],
    [
      "with a trap's value of 3 bytes",
      valued({ region: "context", offset: "0x0", bytes: 3 }),
      /must be 1, 2, 4 or 8, not 3/,
    ],
    ["with a trap's value nowhere", valued({ offset: "0x0", bytes: 8 }), /`exits\[0\].value.region` must be a string/],
    ["with a fault without an address", { ...RIGHT, faults: [{ host: "0x1000" }] }, /`faults\[0\].guest` must be/],
    [
      "with a cut that is neither",
      { ...RIGHT, points: [{ host: "0x0", guest: "0x0", cut: 1 }] },
      /`points\[0\].cut` must be true/,
    ],
    ["with an error of its own", { id: 1, error: "oh\u001b[31m dear" }, /the translator says: oh \[31m dear/],
  ];
  for (const [name, document, reason] of wrong) {
    test(name, () => {
      const answer = readAnswer(JSON.stringify(document), 1);
      expect(answer.kind).toBe("error");
      if (answer.kind === "error") expect(answer.reason).toMatch(reason);
    });
  }

  test("that is no JSON", () => {
    expect(readAnswer("Segmentation fault", 1)).toEqual({
      kind: "error",
      reason: "the answer is no JSON: Segmentation fault",
    });
  });
});

/** A program that does `script` with each `line`, as JavaScript; what it answers to three requests. */
async function answers(script: string, timeoutMs = 20_000, fault?: string): Promise<readonly TranslationAnswer[]> {
  const directory = await mkdtemp(path.join(tmpdir(), "translator-"));
  await writeFile(
    path.join(directory, "translator.mjs"),
    `import { writeSync } from "node:fs";
     import { createInterface } from "node:readline";
     const right = ${JSON.stringify(RIGHT)};
     const say = (answer) => console.log(typeof answer === "string" ? answer : JSON.stringify(answer));
     for await (const line of createInterface({ input: process.stdin })) {
       const { id, translate: { pc } } = JSON.parse(line);
       ${script}
     }`,
  );
  const command = [process.execPath, "./translator.mjs"];
  const opened = openCommand({ kind: "command", wholePrograms: false, command, directory, timeoutMs }, fault);
  if ("missing" in opened) throw new Error("node is not there");
  const { translator } = opened;
  const all: TranslationAnswer[] = [];
  const requests = [0n, 4n, 8n].map((pc) => ({ pc, code: Uint8Array.of(0x13, 0, 0, 0) }));
  try {
    for await (const answer of translator.translate(requests, new AbortController().signal)) all.push(answer);
  } finally {
    await translator.close();
  }
  return all;
}

function shown(answer: TranslationAnswer): string {
  return answer.kind === "error" ? answer.reason : answer.kind;
}

describe("a translator that", () => {
  const OTHERS = "else say({ ...right, id });";
  test("answers", async () => {
    expect((await answers("say({ ...right, id });")).map(shown)).toEqual(["translated", "translated", "translated"]);
  });

  test("is to plant a fault is told its name", async () => {
    const told = await answers("say({ id, unsupported: String(JSON.parse(line).fault) });", 10_000, "early");
    expect(told).toEqual(Array.from({ length: 3 }, () => ({ kind: "unsupported", what: "early" })));
  });

  test("is not there", () => {
    const opened = openCommand({
      kind: "command",
      wholePrograms: false,
      command: ["./nobody"],
      directory: tmpdir(),
      timeoutMs: 1000,
    });
    expect(opened).toMatchObject({ missing: [{ program: "./nobody" }] });
  });

  const cases: readonly (readonly [string, string, RegExp, number?])[] = [
    [
      "crashes",
      `console.error("oh dear"); process.exit(7);`,
      /it exited with 7 instead of answering \(it said: oh dear\)/,
    ],
    [
      "is killed",
      `process.kill(process.pid, "SIGSEGV"); await new Promise(() => setInterval(() => {}, 1000));`,
      /SIGSEGV/,
    ],
    ["hangs", "for (;;);", /no answer within 2500 ms/, 2500],
    ["answers garbage", `say("PC=0x4");`, /no JSON: PC=0x4/],
    ["answers another request", "say({ ...right, id: id + 1 });", /not 2/],
    ["floods", `for (;;) try { writeSync(1, "x".repeat(65536)); } catch {}`, /longer than 4194304 bytes/],
    ["answers twice", "say({ ...right, id }); say({ ...right, id });", /^translated$/],
  ];
  for (const [name, script, reason, timeoutMs] of cases) {
    test(name, { timeout: 120_000 }, async () => {
      const all = await answers(`if (pc === "0x4") { ${script} } ${OTHERS}`, timeoutMs);
      const [first, second, third] = all.map(shown);
      expect(first).toBe("translated");
      expect(second).toMatch(reason);
      if (name === "answers twice") expect(third).toMatch(/^it said something unasked|for request 2, not 3/);
      else expect(third).toBe("translated");
    });
  }

  test("never works is asked no more after three failures", { timeout: 120_000 }, async () => {
    const directory = await mkdtemp(path.join(tmpdir(), "translator-"));
    const opened = openCommand({
      kind: "command",
      wholePrograms: false,
      command: [process.execPath, "-e", ""],
      directory,
      timeoutMs: 20_000,
    });
    if ("missing" in opened) throw new Error("node is not there");
    const all: string[] = [];
    const requests = Array.from({ length: 5 }, () => ({ pc: 0n, code: new Uint8Array() }));
    for await (const answer of opened.translator.translate(requests, new AbortController().signal))
      all.push(shown(answer));
    expect(all.slice(0, 3).every((reason) => /it exited with 0 instead of answering/.test(reason))).toBe(true);
    expect(all.slice(3)).toEqual(Array.from({ length: 2 }, () => "not asked: the program has failed 3 times in a row"));
  });
});
