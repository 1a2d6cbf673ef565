/**
 * The text of queries: what other solvers are given by `--smt2`, and what is read from answers.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { InternalDefect } from "../../../refinement/errors.js";
import { parseExpressions } from "../../../refinement/solver/s-expression.js";
import { toSmtlib } from "../../../refinement/solver/smtlib.js";
import { findOnPath, openSolver } from "../../../refinement/solver/solver.js";
import { readValues } from "../../../refinement/solver/values.js";
import * as b from "../../../refinement/terms/build.js";
import { Evaluator, environmentOf } from "../../../refinement/terms/evaluate.js";
import { BOOL, bits, memory } from "../../../refinement/terms/sort.js";
import { intern, type Op, type Term } from "../../../refinement/terms/term.js";
import { memoryShape, RandomTerms, SCALARS } from "./random-terms.js";

const native = (["z3", "cvc5"] as const).filter((name) => findOnPath(name) !== undefined);
const folder = mkdtempSync(path.join(os.tmpdir(), "commute-smtlib-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ask(solver: string, file: string): string {
  const args = solver === "z3" ? ["-smt2", "-T:5", file] : ["--lang=smt2", "--tlimit=5000", file];
  const run = spawnSync(solver, args, { encoding: "utf8" });
  return `${run.stdout}${run.stderr}`.trim();
}

describe("the text", () => {
  test("of a small query", () => {
    const x = b.variable("x", bits(8));
    const p = b.variable("lat.valid", BOOL);
    const query = toSmtlib([b.or(p, b.ult(x, b.constant(8, 5n))), b.not(b.eq(b.extract(x, 2, 0), b.constant(3, 5n)))]);
    expect(query.check).toBe(
      [
        "(set-logic QF_BV)",
        "(declare-fun |lat.valid| () Bool)",
        "(declare-fun |x| () (_ BitVec 8))",
        "(assert (and",
        "(or |lat.valid| (bvult |x| #x05))",
        "(not (= ((_ extract 2 0) |x|) #b101))))",
        "(check-sat)",
      ].join("\n"),
    );
    expect(query.values).toBe("(get-value (|lat.valid| |x|))");
  });

  test("names what is shared once, and nests no deeper than a reader can", () => {
    let t = b.variable("x", bits(32));
    for (let i = 0; i < 3000; i++) t = intern("bvxor", t.sort, [intern("lshr", t.sort, [t, b.constant(32, 7n)]), t]);
    const query = toSmtlib([b.eq(t, b.constant(32, 1n))]);
    expect(query.check.length).toBeLessThan(300_000);
    let chain = b.variable("x", bits(4));
    for (let i = 0; i < 2000; i++)
      chain = intern("bvnot", chain.sort, [intern("bvxor", chain.sort, [chain, b.constant(4, 3n)])]);
    const { check } = toSmtlib([intern("eq", BOOL, [chain, b.constant(4, 1n)])]);
    writeFileSync(path.join(folder, "chain.smt2"), check);
    let depth = 0;
    let deepest = 0;
    for (const char of check.replaceAll("(let (", "")) {
      if (char === "(") deepest = Math.max(deepest, ++depth);
      else if (char === ")") depth--;
    }
    expect(deepest).toBeLessThan(200);
    for (const solver of native) expect(ask(solver, path.join(folder, "chain.smt2"))).toMatch(/^(sat|unsat)$/);
  });

  test("keeps names apart that SMT-LIB cannot quote", () => {
    const names = ["a|b", "a\\b", "a_b", "ä_", "__"];
    const query = toSmtlib(names.map((name) => b.variable(name, BOOL)));
    expect(new Set(query.wanted.map((w) => w.symbol)).size).toBe(names.length);
    for (const { symbol } of query.wanted) expect(symbol).toMatch(/^[ -~]+$/);
  });

  test("is refused for files and memories", () => {
    expect(() => toSmtlib([b.accessible(b.variable("m", memory(8)), "load", b.constant(8, 0n), 1)])).toThrow(
      InternalDefect,
    );
  });
});

describe("every operator means to solvers what it means to the evaluator", () => {
  const binary = [
    "eq",
    "ult",
    "ule",
    "slt",
    "sle",
    "bvand",
    "bvor",
    "bvxor",
    "add",
    "mul",
    "udiv",
    "urem",
    "sdiv",
    "srem",
    "shl",
    "lshr",
    "ashr",
    "concat",
  ] as const;
  const predicates: readonly Op[] = ["eq", "ult", "ule", "slt", "sle"];
  const width = 3;
  const x = b.variable("x", bits(width));
  const y = b.variable("y", bits(width));

  function operations(): Term[] {
    const sortOf = (op: Op) => (predicates.includes(op) ? BOOL : op === "concat" ? bits(2 * width) : bits(width));
    const p = intern("ult", BOOL, [x, y]);
    const q = intern("eq", BOOL, [x, b.constant(width, 2n)]);
    return [
      ...binary.map((op) => intern(op, sortOf(op), [x, y])),
      ...(["bvand", "bvor", "bvxor", "add", "mul"] as const).map((op) =>
        intern(op, bits(width), [x, y, b.constant(width, 5n)]),
      ),
      intern("concat", bits(3 * width), [x, y, x]),
      intern("bvnot", bits(width), [x]),
      intern("extract", bits(2), [x], { hi: 2, lo: 1 }),
      intern("zext", bits(5), [x]),
      intern("sext", bits(5), [x]),
      intern("ite", bits(width), [p, x, y]),
      intern("not", BOOL, [p]),
      intern("and", BOOL, [p, q, intern("not", BOOL, [q])]),
      intern("or", BOOL, [p, q]),
      intern("eq", BOOL, [p, q]),
      intern("ite", BOOL, [p, q, b.TRUE]),
    ];
  }

  test.each(native)(
    "%s",
    (solver) => {
      const truths: Term[] = [];
      for (let i = 0n; i < 8n; i++) {
        for (let j = 0n; j < 8n; j++) {
          const evaluator = new Evaluator(
            environmentOf(
              new Map([
                ["x", i],
                ["y", j],
              ]),
            ),
          );
          const here = [intern("eq", BOOL, [x, b.constant(width, i)]), intern("eq", BOOL, [y, b.constant(width, j)])];
          for (const t of operations()) {
            const value =
              t.sort.kind === "bits" ? b.constant(t.sort.width, evaluator.number(t)) : b.bool(evaluator.holds(t));
            const differs = intern("not", BOOL, [intern("eq", BOOL, [t, value])]);
            truths.push(intern("and", BOOL, [...here, differs]));
          }
        }
      }
      const file = path.join(folder, `operators-${solver}.smt2`);
      writeFileSync(file, toSmtlib([intern("or", BOOL, truths)]).check);
      expect(ask(solver, file)).toBe("unsat");
      // The same with one wrong value in it is noticed.
      const wrong = intern("and", BOOL, [
        intern("eq", BOOL, [x, b.constant(width, 3n)]),
        intern("not", BOOL, [intern("eq", BOOL, [intern("add", bits(width), [x, x]), b.constant(width, 7n)])]),
      ]);
      writeFileSync(file, toSmtlib([intern("or", BOOL, [...truths, wrong])]).check);
      expect(ask(solver, file)).toBe("sat");
    },
    60_000,
  );
});

describe("the queries that a solver is asked", () => {
  test("are accepted by others, with the same answers", async () => {
    const queries: { name: string; text: string }[] = [];
    const solver = await openSolver("auto", { onQuery: (name, text) => queries.push({ name, text }) });
    const shapes = [SCALARS, memoryShape(64), memoryShape(8)];
    let compared = 0;
    for (let seed = 0; seed < 24; seed++) {
      const terms = new RandomTerms(1000 + seed, shapes[seed % shapes.length] ?? SCALARS);
      queries.length = 0;
      const answer = await solver.solve([terms.bool(2), terms.bool(3)], { timeoutMs: 2000, label: `commute/x${seed}` });
      const last = queries.at(-1);
      if (last === undefined || answer.answer === "unknown") continue;
      expect(last.name).toMatch(/^commute\/x\d+-\d+-(abstract|precise)$/);
      const file = path.join(folder, `query-${seed}.smt2`);
      writeFileSync(file, last.text);
      for (const other of native) {
        const said = ask(other, file);
        // Another solver may find a query too hard, but not wrong.
        if (!/timeout/.test(said)) expect(said, `${other} on seed ${seed}`).toBe(answer.answer);
        compared++;
      }
    }
    await solver.close();
    expect(compared).toBeGreaterThan(8 * native.length);
  }, 120_000);
});

describe("answers", () => {
  test("as expressions", () => {
    expect(parseExpressions('((|a (b)| #x0f) ; remark\n (c (_ bv5 32))) "x ""y"" z"')).toEqual([
      [
        ["a (b)", "#x0f"],
        ["c", ["_", "bv5", "32"]],
      ],
      '"x ""y"" z"',
    ]);
    for (const text of ["(", ")", "((a)", "|a", '"a']) expect(parseExpressions(text)).toBeUndefined();
  });

  test("as values", () => {
    const wanted = [
      { symbol: "a", width: 8 },
      { symbol: "p q", width: 0 },
    ];
    expect(readValues("((a #x0f) (|p q| true))", wanted)).toEqual([15n, 1n]);
    expect(readValues("((a #b00000011) (|p q| false))", wanted)).toEqual([3n, 0n]);
    expect(readValues("((a (_ bv255 8)) (|p q| false))", wanted)).toEqual([255n, 0n]);
    expect(readValues("", [])).toEqual([]);
    for (const text of [
      "",
      "((a #x0f))",
      "((|p q| true) (a #x0f))",
      "((a #x00f) (|p q| true))",
      "((a #x0f) (|p q| #b1))",
      "((a true) (|p q| true))",
      "((a (_ bv256 8)) (|p q| true))",
      "((a (_ bv1 9)) (|p q| true))",
      "((a #x0g) (|p q| true))",
      "((a #x0f) (|p q| true)) more",
      "((a #x0f #x0f) (|p q| true))",
    ]) {
      expect(readValues(text, wanted), text).toBeUndefined();
    }
  });
});
