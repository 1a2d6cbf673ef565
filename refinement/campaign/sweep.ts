/**
 * Cuts a diagram where guest and host meet: what the guest reads of α(c) (its program counter, the fetched word, the
 * operands) the host has as a value of its own. Values that agree in a handful of states are shown to be equal once, and
 * every piece of the obligation then begins with the host's own terms, so that both sides are built alike. This is the
 * sweeping of equivalence checkers (A. Kuehlmann, F. Krohm, Equivalence Checking Using Cuts and Heaps, DAC 1997).
 */
import { type Cut, type CutUnder, type Obligation, type Part } from "../diagram.js";
import { ownTransitions } from "../execute/concrete.js";
import { nextState, anyState, reader, type Reader } from "../execute/symbolic.js";
import { transitionNamed } from "../execute/commute.js";
import type { MachineRefinement } from "../refinement.js";
import { witnessByRandom } from "../solver/random.js";
import { Assumptions, proveByRewriting } from "../terms/assume.js";
import { and, eq, not } from "../terms/build.js";
import { Evaluator, environmentOf, zeroValue } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import { freeVariables, size } from "../terms/variables.js";
import { ask, type Context } from "./context.js";
import type { Transition } from "../machine.js";
