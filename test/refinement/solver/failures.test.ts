/**
 * Solvers that die, hang and talk nonsense: never a verdict, always a clean failure, and the next query is answered.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { EnvironmentFailure, UserError } from "../../../refinement/errors.js";
import { compiledModule } from "../../../refinement/module-url.js";
import { findOnPath, openSolver } from "../../../refinement/solver/solver.js";
import * as b from "../../../refinement/terms/build.js";
import { bits } from "../../../refinement/terms/sort.js";
import { withPath } from "../../with-path.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "commute-solver-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const x = b.variable("x", bits(8));
const y = b.variable("y", bits(64));
const z = b.variable("z", bits(64));
const question = [b.ult(x, b.constant(8, 5n)), b.ult(b.constant(8, 3n), x)];
/** A product of two primes beyond any solver's patience; nothing in it is abstracted once the model fails. */
// Two primes without a pattern: those just below 2^64 a solver now and then guesses.
const hard = [
  b.eq(b.mul(b.zext(y, 128), b.zext(z, 128)), b.constant(128, 0x9600_a35a_0999_50d9n * 0x90c1_92cf_d3ac_94afn)),
  b.ult(b.constant(64, 1n), y),
  b.ult(y, z),
];

async function failure(promise: Promise<unknown>): Promise<EnvironmentFailure> {
  const error = await promise.then(
    (answer) => new Error(`no failure but ${JSON.stringify(answer)}`),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(EnvironmentFailure);
  if (!(error instanceof EnvironmentFailure)) throw error;
  return error;
}

describe.each(["z3", "cvc5"] as const)("a native solver called as %s that", (choice) => {
  const starts = path.join(folder, `${choice}-starts`);
  const fake = (name: string, body: string): string => {
    const file = path.join(folder, `${choice}-${name}`);
    writeFileSync(file, `#!/bin/sh\necho $$ >> "${starts}"\n${body}\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const pids = (): number[] => readFileSync(starts, "utf8").trim().split("\n").map(Number);
  const answering = (check: string, values: string): string =>
    `while read -r line; do case "$line" in *check-sat*) ${check};; *get-value*) ${values};; esac; done`;
  const solve = async (name: string, body: string, timeoutMs = 5000) => {
    writeFileSync(starts, "");
    const solver = await openSolver(choice, { executable: fake(name, body) });
    return solver.solve(question, { timeoutMs });
  };

  test.each([
    ["dies", "exit 3", /died \(exit code 3\)/],
    ["is killed", "kill -9 $$", /died \(signal SIGKILL\)/],
    ["dies with words", "echo 'no licence' >&2; exit 1", /died \(exit code 1\): no licence/],
    ["talks", "echo hello there; cat > /dev/null", /answered nonsense: "hello there"/],
    ["reports an error", `echo '(error "line 1: unknown sort")'; cat > /dev/null`, /answered nonsense: "\(error/],
    ["is cut off", "printf unsat; exit 0", /answered nonsense: "unsat \(cut off\)"/],
    ["has a malformed model", answering("echo sat", "echo '((x banana))'"), /answered nonsense/],
    ["has a model of another width", answering("echo sat", "echo '((x #x0004))'"), /answered nonsense/],
    ["has a model of other variables", answering("echo sat", "echo '((y #x04))'"), /answered nonsense/],
    ["has an incomplete model", answering("echo sat", "echo '()'"), /answered nonsense/],
    ["cannot say its model", answering("echo sat", `echo '(error "no model")'`), /answered nonsense/],
    ["dies before its model", answering("echo sat", "exit 1"), /died/],
    ["floods with words", "exec yes maybe", /answered nonsense/],
    ["floods with a parenthesis", "exec yes '('", /answered nonsense/],
    ["floods with answers", "exec yes sat", /answered nonsense/],
  ])("%s is a failure after one retry", async (name, body, message) => {
    const error = await failure(solve(name, body));
    expect(error.what).toBe(choice);
    expect(error.message).toMatch(message);
    expect(pids()).toHaveLength(2);
  });

  test("dies once is asked again", async () => {
    const once = path.join(folder, `${choice}-once`);
    const body = `if [ ! -e "${once}" ]; then touch "${once}"; exit 1; fi\n${answering("echo sat", "echo '((x #x04))'")}`;
    expect(await solve("dies once", body)).toEqual({ answer: "sat", model: new Map([["x", 4n]]) });
  });

  test("has a nonsense model is asked once more, then the answer is unknown", async () => {
    const answer = await solve("lies", answering("echo sat", "echo '((x #x07))'"));
    expect(answer).toEqual({ answer: "unknown", reason: `the model that ${choice} gave does not reproduce` });
    expect(pids()).toHaveLength(2);
  });

  test("hangs is killed, and the answer is unknown", async () => {
    const answer = await solve("hangs", "trap '' TERM INT; echo started >&2; exec sleep 600", 300);
    expect(answer.answer === "unknown" ? answer.reason : "").toMatch(
      /^timeout: no answer after \d+ ms, and the solver/,
    );
    for (const pid of pids()) expect(() => process.kill(pid, 0)).toThrow();
  });

  test("hangs is killed when the caller loses interest", async () => {
    writeFileSync(starts, "");
    const solver = await openSolver(choice, { executable: fake("bores", "exec sleep 600") });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    const answer = await solver.solve(question, { timeoutMs: 60_000, signal: controller.signal });
    expect(answer).toEqual({ answer: "unknown", reason: "interrupted" });
    for (const pid of pids()) expect(() => process.kill(pid, 0)).toThrow();
    expect(await solver.solve(question, { timeoutMs: 60_000, signal: controller.signal })).toEqual(answer);
  });

  test("gives up says why", async () => {
    const body = `while read -r line; do case "$line" in *check-sat*) echo unknown;; *get-info*) echo '(:reason-unknown "(incomplete quantifiers)")';; esac; done`;
    expect(await solve("gives up", body)).toEqual({
      answer: "unknown",
      reason: "the solver gave up: (incomplete quantifiers)",
    });
  });

  test("is not there is a failure or a user's mistake", async () => {
    const solver = await openSolver(choice, { executable: path.join(folder, "absent") });
    expect((await failure(solver.solve(question, { timeoutMs: 1000 }))).message).toMatch(/absent|not found/);
    await withPath(folder, async () => {
      await expect(openSolver(choice)).rejects.toThrow(UserError);
      await expect(openSolver(choice)).rejects.toThrow(/not on PATH.*z3-wasm/);
    });
  });

  test.runIf(findOnPath(choice) !== undefined)("is real keeps to its limits", async () => {
    const solver = await openSolver(choice);
    const late = await solver.solve(hard, { timeoutMs: 1500 });
    expect(late.answer === "unknown" ? late.reason : late.answer).toMatch(/^timeout/);
    const big = await solver.solve(hard, { timeoutMs: 20_000, memoryMb: choice === "z3" ? 20 : 60 });
    expect(big.answer === "unknown" ? big.reason : big.answer).toMatch(/^memory/);
    expect(await solver.solve(question, { timeoutMs: 5000 })).toEqual({ answer: "sat", model: new Map([["x", 4n]]) });
  });
});

describe("a solver in a thread that", () => {
  let workers = 0;
  const fake = (body: string): URL => {
    const file = path.join(folder, `worker-${++workers}.mjs`);
    writeFileSync(file, `import { parentPort as port } from "node:worker_threads";\n${body}\n`);
    return pathToFileURL(file);
  };
  const ready = `port.postMessage({ kind: "ready" });`;
  const answering = (response: string): string =>
    `port.on("message", ({ id }) => port.postMessage(${response})); ${ready}`;
  const answer = (check: string, values = "", reason = ""): string =>
    answering(`{ kind: "answer", id, ...${JSON.stringify({ check, values, reason })} }`);
  const solve = async (body: string, timeoutMs = 5000) => {
    const solver = await openSolver("z3-wasm", { module: fake(body), startMs: 2000 });
    try {
      return await solver.solve(question, { timeoutMs });
    } finally {
      await solver.close();
    }
  };

  test.each([
    ["ends at once", "process.exit(7);", /thread died: it ended with code/],
    ["cannot be loaded", `await import("./absent.mjs");`, /thread died/],
    ["throws", `${ready} port.on("message", () => { throw new Error("bang"); });`, /thread died: bang/],
    ["ends", `${ready} port.on("message", () => process.exit(0));`, /thread died/],
    ["is never ready", "setInterval(() => undefined, 1000);", /did not start within 2000 ms/],
    ["is not what it should be", `port.postMessage("hello"); port.on("message", () => undefined);`, /nonsense/],
    ["sends what is no response", answering(`"hello"`), /nonsense/],
    [
      "answers another question",
      answering(`{ kind: "answer", id: id - 1, check: "unsat", values: "", reason: "" }`),
      /nonsense/,
    ],
    ["talks", answer("hello there"), /nonsense: "hello there"/],
    ["reports an error", answer(`(error "line 1")\nunsat`), /nonsense: "\(error/],
    ["has a malformed model", answer("sat", "((x"), /nonsense/],
    [
      "reports its death",
      answering(`{ kind: "death", id, message: "Aborted()", allocatedMb: 5 }`),
      /thread died: Aborted/,
    ],
  ])("%s is a failure", async (_, body, message) => {
    const error = await failure(solve(body));
    expect(error.what).toBe("z3-wasm");
    expect(error.message).toMatch(message);
  });

  test("has a nonsense model gives no answer", async () => {
    expect(await solve(answer("sat", "((x #x07))"))).toEqual({
      answer: "unknown",
      reason: "the model that z3-wasm gave does not reproduce",
    });
  });

  test("hangs is ended, and the answer is unknown", async () => {
    const got = await solve(`${ready} port.on("message", () => { for (;;); });`, 300);
    expect(got.answer === "unknown" ? got.reason : "").toMatch(/^timeout: no answer after \d+ ms/);
  });

  test("dies of memory says so", async () => {
    const got = await solve(answering(`{ kind: "death", id, message: "Aborted()", allocatedMb: 5000 }`));
    expect(got).toEqual({ answer: "unknown", reason: "memory: the solver needs more than 1024 MB" });
  });

  test("dies once is asked again", async () => {
    const marker = path.join(folder, "worker-marker");
    const body = `import { existsSync, writeFileSync } from "node:fs";
      const first = !existsSync(${JSON.stringify(marker)});
      if (first) writeFileSync(${JSON.stringify(marker)}, "");
      port.on("message", ({ id }) => {
        if (first) process.exit(1);
        port.postMessage({ kind: "answer", id, check: "sat", values: "((x #b00000100))", reason: "" });
      });
      ${ready}`;
    expect(await solve(body)).toEqual({ answer: "sat", model: new Map([["x", 4n]]) });
  });
});

describe("z3-solver in its thread", () => {
  test("keeps to its limits, is interrupted, and goes on", async () => {
    const solver = await openSolver("auto");
    const late = await solver.solve(hard, { timeoutMs: 1500 });
    expect(late.answer === "unknown" ? late.reason : late.answer).toMatch(/^timeout/);
    const big = await solver.solve(hard, { timeoutMs: 30_000, memoryMb: 20 });
    expect(big.answer === "unknown" ? big.reason : big.answer).toMatch(/^memory/);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    const start = performance.now();
    const interrupted = await solver.solve(hard, { timeoutMs: 60_000, signal: controller.signal });
    expect(interrupted).toEqual({ answer: "unknown", reason: "interrupted" });
    expect(performance.now() - start).toBeLessThan(10_000);
    const answers = await Promise.all(
      [question, [b.FALSE], question].map((q) => solver.solve(q, { timeoutMs: 20_000 })),
    );
    expect(answers.map((a) => a.answer)).toEqual(["sat", "unsat", "sat"]);
    await solver.close();
  });

  test("does not keep the process alive, and is not loaded before it is needed", () => {
    const module = compiledModule("../../../refinement/solver/solver.js", import.meta.url).href;
    const terms = compiledModule("../../../refinement/terms/build.js", import.meta.url).href;
    const sorts = compiledModule("../../../refinement/terms/sort.js", import.meta.url).href;
    const script = `
      import { openSolver } from ${JSON.stringify(module)};
      import * as b from ${JSON.stringify(terms)};
      import { bits } from ${JSON.stringify(sorts)};
      const solver = await openSolver("auto");
      if (process.argv[1] === "ask") console.log((await solver.solve([b.ult(b.variable("x", bits(8)), b.variable("y", bits(8)))], { timeoutMs: 20000 })).answer);
      console.log(process.memoryUsage().rss < 150e6 || process.argv[1] === "ask");`;
    for (const [mode, output] of [
      ["idle", "true\n"],
      ["ask", "sat\ntrue\n"],
    ] as const) {
      const run = spawnSync(process.execPath, ["--input-type=module", "-e", script, "--", mode], {
        encoding: "utf8",
        timeout: 40_000,
      });
      expect(run.stdout, run.stderr).toBe(output);
      expect(run.status).toBe(0);
    }
  });
});
