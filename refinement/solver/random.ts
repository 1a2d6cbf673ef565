/**
 * Refutes by random evaluation: states with values at the corners, led by the hypotheses to where they hold. Most wrong
 * goals fall within a few tries, long before a solver would have been loaded. Deterministic in its seed.
 */
import { InternalDefect } from "../errors.js";
import { FALSE, TRUE } from "../terms/build.js";
import { Evaluator, environmentOf } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";
import type { Value } from "../terms/value.js";
import { freeVariables } from "../terms/variables.js";
import { Assignment, FileLeaf } from "./assignment.js";
import { Corners, constantsIn } from "./corners.js";
import { definitionsIn } from "./definitions.js";
import { Generator } from "./generator.js";
import { Compiler, type NarrowNode } from "./nodes.js";
import { Repair } from "./repair.js";
import { simplify } from "./simplify.js";

export interface RandomOptions {
  /** Any non-negative integer. */
  readonly seed: number;
  /** States in which the goal is evaluated, a quarter for each start that leads to none. */
  readonly tries: number;
  /** Bound on the values computed in all, some 10 to 20 million a second. Default 2 million. */
  readonly work?: number;
  /** Bound on the time, for those who can do without determinism. */
  readonly timeMs?: number;
}

const DEFAULT_WORK = 2_000_000;
/** Starts from which the hypotheses could not be established, none having succeeded, after which they look contradictory. */
const FRUITLESS = 60;
/** Neighbouring states visited from one in which the hypotheses hold. */
const WALK = 8;

/**
 * A state in which all hypotheses hold and the goal does not: a value for each free variable of them, by name. What does
 * not matter is zero, and accessible. `undefined` where none was found, which says nothing.
 */
export function refuteByRandom(
  hypotheses: readonly Term[],
  goal: Term,
  options: RandomOptions,
): ReadonlyMap<string, Value> | undefined {
  return goal === TRUE ? undefined : new Search(hypotheses, goal, options).run();
}

/** A state in which all hypotheses hold. */
export function witnessByRandom(
  hypotheses: readonly Term[],
  options: RandomOptions,
): ReadonlyMap<string, Value> | undefined {
  return new Search(hypotheses, FALSE, options).run();
}

class Search {
  private readonly hypotheses: readonly Term[];
  private readonly goal: Term;
  private readonly options: RandomOptions;
  private readonly generator: Generator;
  private readonly assignment: Assignment;
  private readonly compiler: Compiler;
  private readonly repair: Repair;
  private readonly definitions: ReadonlyMap<Term, Term>;
  private readonly constraints: readonly NarrowNode[];
  private readonly goalNode: NarrowNode;
  private readonly possible: boolean;

  constructor(hypotheses: readonly Term[], goal: Term, options: RandomOptions) {
    this.hypotheses = hypotheses;
    this.goal = goal;
    this.options = options;
    this.generator = new Generator(options.seed);
    const { definitions, elements, rest } = definitionsIn(hypotheses);
    this.definitions = definitions;
    const constants = new Map<number, readonly bigint[]>();
    const corners = new Corners(this.generator, constants);
    this.assignment = new Assignment(corners, this.generator);
    this.compiler = new Compiler(this.assignment, definitions);
    let consistent = true;
    for (const { file, index, value } of elements) {
      const leaf = this.assignment.leaf(file);
      if (leaf instanceof FileLeaf && !leaf.pin(index, value)) consistent = false;
    }
    this.constraints = rest.map((t) => this.compiler.bool(t));
    this.goalNode = this.compiler.bool(goal);
    for (const [width, values] of constantsIn(this.compiler.terms())) constants.set(width, values);
    this.repair = new Repair(this.compiler, this.assignment, corners, this.generator);
    this.possible = consistent && !rest.includes(FALSE);
  }

  run(): ReadonlyMap<string, Value> | undefined {
    if (!this.possible) return undefined;
    const { clock } = this.compiler;
    const limit = this.options.work ?? DEFAULT_WORK;
    const deadline = performance.now() + (this.options.timeMs ?? Number.POSITIVE_INFINITY);
    let fruitless = 0;
    for (let tried = 0; tried < this.options.tries; ) {
      if (clock.work > limit || fruitless >= FRUITLESS || performance.now() > deadline) return undefined;
      this.assignment.reset();
      clock.now++;
      if (this.establish()) fruitless = Number.NEGATIVE_INFINITY;
      else {
        fruitless++;
        tried += 0.25;
      }
      for (let step = 0; step < WALK && this.satisfied(); step++, tried++) {
        if (this.goalNode.get() === 0) return this.found();
        this.wander();
        this.establish();
      }
    }
    return undefined;
  }

  /** Repairs hypotheses until all hold, or for long enough. */
  private establish(): boolean {
    const attempts = 20 + 6 * this.constraints.length;
    for (let i = 0; i < attempts; i++) {
      const broken = this.broken();
      if (broken === undefined) return true;
      if (this.generator.chance(0.05)) this.repair.shake(broken);
      else this.repair.push(broken, 1n);
      this.compiler.clock.now++;
    }
    return this.satisfied();
  }

  /** A hypothesis that does not hold. */
  private broken(): NarrowNode | undefined {
    const count = this.constraints.length;
    const start = this.generator.below(count);
    for (let i = 0; i < count; i++) {
      const constraint = this.constraints[(start + i) % count];
      if (constraint !== undefined && constraint.get() === 0) return constraint;
    }
    return undefined;
  }

  private satisfied(): boolean {
    return this.constraints.every((constraint) => constraint.get() === 1);
  }

  /** To a neighbouring state: some variable of the goal changes, or the goal is pushed towards being false. */
  private wander(): void {
    if (this.goalNode.term === FALSE) return;
    if (this.generator.chance(0.3)) this.repair.push(this.goalNode, 0n);
    else this.repair.shake(this.goalNode);
    this.compiler.clock.now++;
  }

  private found(): ReadonlyMap<string, Value> {
    simplify(this.assignment, () => {
      this.compiler.clock.now++;
      return this.satisfied() && this.goalNode.get() === 0;
    });
    this.compiler.clock.now++;
    const model = new Map<string, Value>();
    for (const v of freeVariables([...this.hypotheses, this.goal])) model.set(v.name, this.valueOf(v));
    const evaluator = new Evaluator(environmentOf(model));
    if (!this.hypotheses.every((t) => evaluator.holds(t)) || evaluator.holds(this.goal)) {
      throw new InternalDefect("a state found by random evaluation does not reproduce in the reference evaluator");
    }
    return model;
  }

  private valueOf(v: Term): Value {
    return this.definitions.has(v) ? this.compiler.node(v).big() : this.assignment.value(v);
  }
}
