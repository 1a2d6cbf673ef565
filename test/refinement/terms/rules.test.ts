import { describe, expect, test } from "vitest";
import "../../../refinement/terms/build.js";
import { argument, constant, eq, not, or, rulesOf, widthOf } from "../../../refinement/terms/construct.js";
import { signBit } from "../../../refinement/terms/pieces.js";
import type { Rule } from "../../../refinement/terms/rules/rule.js";
import { BOOL, bits } from "../../../refinement/terms/sort.js";
import { intern, OPS, type Op } from "../../../refinement/terms/term.js";
import { EXAMPLES, type Example } from "./examples.js";
import { z3Available } from "./smt.js";
import { type Case, cases, DIVISIBLE, LARGE, refusedBySolver, verify } from "./verify.js";

const ALL: readonly (readonly [Op, Rule])[] = OPS.flatMap((op) => rulesOf(op).map((rule) => [op, rule] as const));

/** No solver compares these quotients and products at 32 bits; random values do. */
const UNKNOWN_PRODUCTS = ["sdiv.narrow", "srem.narrow", "udiv.narrow", "urem.narrow", "extract.signed-product"];

describe("every rule", () => {
  test("has a name of its own and an example, and every example a rule", () => {
    const names = ALL.map(([, rule]) => rule.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => EXAMPLES[name] === undefined)).toEqual([]);
    expect(Object.keys(EXAMPLES).filter((name) => !names.includes(name))).toEqual([]);
    expect(ALL.filter(([, rule]) => rule.law === "")).toEqual([]);
  });

  for (const op of OPS) {
    const rules = rulesOf(op);
    if (rules.length === 0) continue;
    test(`of ${op} fires on its examples and keeps every value at widths 1 to 4`, { timeout: 120_000 }, () => {
      expect(rules.flatMap((rule) => verify(op, rule, EXAMPLES[rule.name]))).toEqual([]);
    });
  }

  test.runIf(z3Available())("keeps every value at widths 32 and 64, by solver", { timeout: 600_000 }, () => {
    const list: Case[] = [];
    for (const [op, rule] of ALL) {
      const example = EXAMPLES[rule.name];
      const widths = UNKNOWN_PRODUCTS.includes(rule.name) ? DIVISIBLE : LARGE;
      if (example !== undefined) list.push(...cases(op, rule, example, widths));
    }
    expect(refusedBySolver(list, 20_000)).toEqual([]);
  });
});

describe("a wrong rule is refused", () => {
  const a = (w: number) => intern("var", bits(w), [], { name: `a${w}` });

  test("that is wrong only at width 1, where the constant 1 is −1", () => {
    const wrong: Rule = {
      name: "slt.one",
      law: "a <s 1 = a <s 0 || a == 0",
      apply(t) {
        const x = argument(t, 0);
        const b = argument(t, 1);
        if (b.op !== "const" || b.value !== 1n) return undefined;
        return or(eq(signBit(x), constant(1, 1n)), eq(x, constant(widthOf(x), 0n)));
      },
    };
    const example: Example = (w) => [intern("slt", BOOL, [a(w), constant(w, 1n)])];
    expect(verify("slt", wrong, example)).toEqual(
      [
        expect.stringContaining("a1 <s 1'b1 became true; with a1 = 0: 0 became 1"),
        expect.stringContaining("a1 = 1"),
      ].slice(0, 1),
    );
  });

  test.runIf(z3Available())("that is wrong only at large widths", () => {
    const wrong: Rule = {
      name: "eq.byte",
      law: "(a == 256) = false",
      apply: (t) => (argument(t, 1).value === 256n ? constantFalse() : undefined),
    };
    const example: Example = (w) => [intern("eq", BOOL, [a(w), constant(w, 256n)])];
    const found = cases("eq", wrong, example, LARGE);
    expect(refusedBySolver(found, 5000)).toEqual([expect.stringContaining(": sat"), expect.stringContaining(": sat")]);
  });

  test("that no example makes fire", () => {
    const idle: Rule = { name: "not.idle", law: "!a = !a", apply: () => undefined };
    expect(verify("not", idle, () => [intern("not", BOOL, [intern("var", BOOL, [], { name: "p" })])])).toEqual([
      "no example makes not.idle fire at widths 1 to 4",
    ]);
    expect(verify("not", idle, undefined)).toEqual(["not.idle has no example"]);
  });
});

function constantFalse() {
  return not(intern("const", BOOL, [], { value: 1n }));
}
