/**
 * A guest that counts to 15 and traps, over a host that counts in two halves: it first prepares the low half and a carry,
 * then commits both. Small, with something in it for every kind of obligation; each option breaks one of them.
 */
import type { MachineRefinement } from "../../../refinement/refinement.js";
import {
  add,
  and,
  boolToBits,
  concat,
  constant,
  eq,
  extract,
  implies,
  ite,
  not,
  or,
  TRUE,
  zext,
} from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { ANY, BOOLEAN, machine, refinement, state, step, STUTTER, word } from "./by-hand.js";

const n = (width: number, value: number): Term => constant(width, BigInt(value));

const count = state("count", word(4));

/** `count` 0 … 15; at 15 the next tick traps with the count as argument. */
export const guest = machine("counter", {
  state: { count: word(4) },
  traps: { overflow: [4] },
  initial: eq(count, n(4, 0)),
  transitions: {
    tick: {
      raises: [{ condition: eq(count, n(4, 15)), trap: "overflow", arguments: [count] }],
      assigns: { count: add(count, n(4, 1)) },
    },
  },
});

const low = state("low", word(2));
const high = state("high", word(2));
const next = state("next", word(2));
const carry = state("carry", BOOLEAN);
const ready = state("ready", BOOLEAN);
const stopped = state("stopped", BOOLEAN);
const tval = state("tval", word(4));
const whole = concat(high, low);
const committed = concat(add(high, zext(boolToBits(carry), 2)), next);

export type Break =
  | "none"
  | "initial"
  | "invariant"
  | "commute"
  | "trap"
  | "trap-value"
  | "enabled"
  | "progress"
  | "stuck"
  | "materialize"
  | "inverse"
  | "vacuous"
  | "no-rank";

export function counter(broken: Break = "none"): MachineRefinement {
  const is = (b: Break): boolean => broken === b;
  const host = machine("halves", {
    state: {
      low: word(2),
      high: word(2),
      next: word(2),
      carry: BOOLEAN,
      ready: BOOLEAN,
      stopped: BOOLEAN,
      tval: word(4),
    },
    initial: and(eq(whole, n(4, is("initial") ? 1 : 0)), not(ready), not(stopped)),
    transitions: {
      prepare: {
        guard: and(not(ready), is("enabled") ? TRUE : not(stopped)),
        assigns: {
          next: add(low, n(2, 1)),
          carry: eq(low, n(2, is("invariant") ? 2 : 3)),
          ready: is("progress") ? eq(low, n(2, 1)) : TRUE,
        },
      },
      commit: {
        guard: and(ready, is("enabled") ? TRUE : not(stopped), is("stuck") ? not(eq(low, n(2, 2))) : TRUE),
        assigns: {
          low: ite(eq(whole, n(4, is("trap") ? 14 : 15)), low, next),
          high: ite(eq(whole, n(4, is("trap") ? 14 : 15)), high, extract(committed, 3, 2)),
          stopped: or(stopped, eq(whole, n(4, is("trap") ? 14 : 15))),
          ready: not(TRUE),
          tval: is("trap-value") ? zext(low, 4) : whole,
          ...(is("commute") ? { high } : {}),
        },
      },
    },
  });
  return refinement(`counter-${broken}`, {
    guest,
    host,
    abstraction: {
      count: whole,
      trap: boolToBits(stopped),
      "trap.value": ite(stopped, tval, n(4, 0)),
    },
    invariant: {
      prepared: implies(ready, and(eq(next, add(low, n(2, 1))), eq(carry, eq(low, n(2, 3))))),
      ...(is("vacuous") ? { impossible: and(eq(low, n(2, 1)), eq(high, low), eq(add(high, low), n(2, 1))) } : {}),
    },
    steps: { prepare: [STUTTER], commit: [step(ANY)] },
    ...(is("no-rank") ? {} : { rank: ite(ready, n(1, 0), n(1, 1)) }),
    materialize: [
      {
        name: "interrupt",
        at: not(stopped),
        by: new Map([["ready", not(TRUE)]]),
        precise: is("materialize") ? ready : not(ready),
        view: new Map([
          ["count", whole],
          ["trap", n(1, 0)],
          ["trap.value", n(4, 0)],
        ]),
        steps: [],
      },
    ],
    concretize: {
      low: extract(count, is("inverse") ? 2 : 1, is("inverse") ? 1 : 0),
      high: extract(count, 3, 2),
      next: n(2, 0),
      carry: not(TRUE),
      ready: not(TRUE),
      stopped: eq(state("trap", word(1)), n(1, 1)),
      tval: state("trap.value", word(4)),
    },
  });
}
