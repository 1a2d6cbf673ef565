import { describe, expect, it } from "vitest";
import { candidates, instantiate } from "../../../refinement/campaign/choices.js";
import type { Goal } from "../../../refinement/diagram.js";
import {
  add,
  and,
  bitsToBool,
  bvnot,
  bvxor,
  concat,
  constant,
  eq,
  ite,
  not,
  select,
  store,
  TRUE,
  variable,
  zext,
} from "../../../refinement/terms/build.js";
import { BOOL, bits, file } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import { freeVariables } from "../../../refinement/terms/variables.js";

const choice = variable("0:t(v)", bits(8));
const host = (width: number) => variable("host", bits(width));
const other = variable("other", bits(8));
const c = variable("c", BOOL);

/** True where the first candidate makes the goals the same on both sides. */
function solved(goals: readonly Goal[], open: Term = choice): boolean {
  const [first] = candidates({ hypotheses: [], goals, choices: [{ variable: open, witness: undefined }] });
  if (first === undefined) return false;
  return instantiate(goals, first).every((goal) => goal.host === goal.guest);
}

const goal = (guest: Term, hostTerm: Term, name = "v"): Goal => ({ variable: name, host: hostTerm, guest });

describe("candidates for what the guest leaves open", () => {
  const moved: readonly [string, Term][] = [
    ["as it is", choice],
    ["inverted", bvnot(choice)],
    ["xored", bvxor(choice, other)],
    ["added to", add(choice, other)],
  ];
  it.each(moved)("are read off where the choice is stored %s", (_, guest) => {
    expect(solved([goal(guest, host(8))])).toBe(true);
  });

  it("are the low bits of what is wider", () => {
    const [first] = candidates({
      hypotheses: [],
      goals: [goal(zext(choice, 16), host(16)), goal(concat(other, choice), host(16))],
      choices: [{ variable: choice, witness: undefined }],
    });
    expect(first?.get(choice)?.op).toBe("extract");
  });

  it("depend on the path", () => {
    const second = variable("host2", bits(8));
    const goals = [
      goal(ite(c, choice, other), ite(c, host(8), other), "a"),
      goal(ite(c, other, choice), ite(c, other, second), "b"),
    ];
    expect(solved(goals)).toBe(true);
  });

  it("are found in an element of a file, whatever index is compared", () => {
    const f = variable("f", file(4, 8));
    const at = variable("at", bits(2));
    const index = variable("x[]", bits(2));
    const value = variable("value", bits(8));
    const goals = [goal(select(store(f, at, choice), index), select(store(f, at, value), index))];
    expect(solved(goals)).toBe(true);
  });

  it("are one value for all elements that it goes to, and never depend on which is compared", () => {
    const x = variable("x", file(4, 8));
    const index = variable("x[]", bits(2));
    const both = (one: Term, two: Term) => select(store(store(x, constant(2, 0n), one), constant(2, 3n), two), index);
    expect(solved([goal(both(choice, choice), both(host(8), host(8)))])).toBe(true);
    const part = {
      hypotheses: [],
      goals: [goal(both(choice, choice), both(host(8), other))],
      choices: [{ variable: choice, witness: undefined }],
    };
    for (const chosen of candidates(part)) {
      for (const value of chosen.values()) expect([...freeVariables(value)]).not.toContain(index);
      expect(instantiate(part.goals, chosen).every((g) => g.host === g.guest)).toBe(false);
    }
  });

  it("of one bit go through conditions", () => {
    const bit = variable("0:t(b)", bits(1));
    const flag = variable("flag", BOOL);
    expect(solved([goal(bitsToBool(bit), flag)], bit)).toBe(true);
    expect(solved([goal(not(bitsToBool(bit)), flag)], bit)).toBe(true);
  });

  it("begin with the refinement's own witness", () => {
    const [first] = candidates({
      hypotheses: [],
      goals: [goal(and(eq(choice, other), TRUE), TRUE)],
      choices: [{ variable: choice, witness: other }],
    });
    expect(first?.get(choice)).toBe(other);
  });

  it("include constants", () => {
    const values = candidates({ hypotheses: [], goals: [], choices: [{ variable: choice, witness: undefined }] });
    expect(values.map((chosen) => chosen.get(choice))).toEqual([constant(8, 0n), constant(8, 255n)]);
  });
});
