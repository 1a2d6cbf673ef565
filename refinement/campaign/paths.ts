/**
 * The paths on which a host step can be taken: the cases in which its hypotheses hold and its effect branches. Under the
 * facts of one path most of a goal falls away; what is open then is small.
 */
import type { Obligation, Part } from "../diagram.js";
import { anyState, nextState } from "../execute/symbolic.js";
import type { MachineRefinement } from "../refinement.js";
import { Assumptions } from "../terms/assume.js";
import { and, FALSE, not, TRUE } from "../terms/build.js";
import type { Term } from "../terms/term.js";
import { transitionOf } from "./case.js";

/** Facts that hold on a path, beside the hypotheses. */
export type Path = readonly Term[];

const MOST_PATHS = 96;
/** A condition with more cases than this is left as it is. */
const MOST_CASES = 40;
const MOST_CONDITIONS = 8;

/** Paths that together cover everything which the part speaks about; those that contradict its hypotheses are left out. */
export function pathsOf(refinement: MachineRefinement, obligation: Obligation, part: Part): readonly Path[] {
  let paths: { readonly facts: Path; readonly known: Assumptions }[] = [
    { facts: [], known: Assumptions.of(part.hypotheses) },
  ];
  const divide = (cases: readonly Path[]): boolean => {
    if (cases.length < 2) return true;
    const finer = paths.flatMap(({ facts, known }) =>
      cases.flatMap((more) => {
        const inside = more.reduce((sofar, fact) => (sofar.contradictory ? sofar : sofar.with(fact)), known);
        return inside.contradictory ? [] : [{ facts: [...facts, ...more], known: inside }];
      }),
    );
    if (finer.length > MOST_PATHS) return false;
    paths = finer;
    return true;
  };
  // What belongs to this part alone stands last among its hypotheses.
  for (const hypothesis of part.hypotheses.toReversed()) {
    if (!divide(casesOf(hypothesis))) break;
  }
  for (const condition of branchesOf(refinement, obligation)) {
    if (!divide([...casesOf(condition), ...casesOf(not(condition))])) break;
  }
  return paths.map((path) => path.facts);
}

/** Cases that cover `condition` and exclude each other, as lists of simpler facts. */
function casesOf(condition: Term): readonly Path[] {
  const cases = split(condition);
  return cases.length > MOST_CASES ? [[condition]] : cases;
}

function split(condition: Term): readonly Path[] {
  switch (condition.op) {
    case "or": {
      const cases: Path[] = [];
      const denied: Term[] = [];
      for (const part of condition.args) {
        for (const inside of split(part)) cases.push([...denied, ...inside]);
        denied.push(not(part));
      }
      return cases;
    }
    case "and":
      return condition.args.reduce<readonly Path[]>(
        (sofar, part) => {
          if (sofar.length > MOST_CASES) return sofar.map((path) => [...path, part]);
          const cases = split(part);
          return sofar.flatMap((path) => cases.map((inside) => [...path, ...inside]));
        },
        [[]],
      );
    case "ite": {
      const [test, yes, no] = condition.args;
      if (test === undefined || yes === undefined || no === undefined) return [[condition]];
      return [and(test, yes), and(not(test), no)].filter((c) => c !== FALSE).flatMap(split);
    }
    default:
      return condition === TRUE ? [[]] : [[condition]];
  }
}

/** The conditions on which the effect of the host's transition branches, those that decide most variables first. */
function branchesOf(refinement: MachineRefinement, obligation: Obligation): readonly Term[] {
  const t = transitionOf(refinement, obligation);
  if (t === undefined) return [];
  const counts = new Map<Term, number>();
  for (const after of nextState(refinement.host, t, anyState(refinement.host)).values()) {
    const found = new Set<Term>();
    collect(after, found);
    for (const condition of found) counts.set(condition, (counts.get(condition) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, MOST_CONDITIONS)
    .map(([condition]) => condition);
}

function collect(term: Term, found: Set<Term>): void {
  const [condition, yes, no] = term.args;
  if (term.op !== "ite" || condition === undefined || yes === undefined || no === undefined) return;
  const plain = condition.op === "not" ? condition.args[0] : condition;
  if (plain === undefined || found.has(plain)) return;
  found.add(plain);
  collect(yes, found);
  collect(no, found);
}
