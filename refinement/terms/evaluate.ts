import { InternalDefect } from "../errors.js";
import { argument, boundVariable, fileSortOf } from "./construct.js";
import { type FunctionDefinition, definitionOf } from "./definitions.js";
import { operate, scalarWidth } from "./operators.js";
import type { Sort } from "./sort.js";
import type { Term } from "./term.js";
import { FileValue, MemoryValue, type Value } from "./value.js";

/** What the free variables and the uninterpreted functions mean. */
export interface Environment {
  /** The value of a free variable, of its sort. */
  variable(term: Term): Value;
  /** The value of an `apply` term on these arguments; without it, a hash of the name and the arguments. */
  apply?(term: Term, args: readonly bigint[]): bigint;
}

/** The value of a sort that is zero everywhere. */
export function zeroValue(sort: Sort): Value {
  switch (sort.kind) {
    case "bool":
    case "bits":
      return 0n;
    case "file":
      return FileValue.filled(sort.count);
    case "memory":
      return MemoryValue.empty(sort.address);
  }
}

/** Variables by name from `state`, then from `fallback`; it is a defect if neither has one. */
export function environmentOf(state: ReadonlyMap<string, Value>, fallback?: (term: Term) => Value): Environment {
  return {
    variable(term) {
      const value = state.get(term.name);
      if (value !== undefined) return value;
      if (fallback === undefined) throw new InternalDefect(`no value for the variable ${term.name}`);
      return fallback(term);
    },
  };
}

/** A fixed but arbitrary function for each name. */
export function hashedApply(term: Term, args: readonly bigint[]): bigint {
  let hash = 0xcbf29ce484222325n;
  const feed = (x: bigint): void => {
    hash = BigInt.asUintN(64, (hash ^ x) * 0x100000001b3n);
    hash ^= hash >> 29n;
  };
  for (let i = 0; i < term.name.length; i++) feed(BigInt(term.name.charCodeAt(i)));
  for (const arg of args) {
    for (let rest = arg; rest > 0n; rest >>= 64n) feed(BigInt.asUintN(64, rest) + 1n);
    feed(0x9e3779b97f4a7c15n);
  }
  const width = scalarWidth(term.sort);
  let value = hash;
  for (let filled = 64; filled < width; filled += 64) {
    feed(BigInt(filled));
    value = (value << 64n) | hash;
  }
  return BigInt.asUintN(width, value);
}

/** Evaluates terms under one environment and remembers the value of every term it has met. */
export class Evaluator {
  private readonly environment: Environment;
  private readonly memo = new Map<Term, Value>();

  constructor(environment: Environment) {
    this.environment = environment;
  }

  value(t: Term): Value {
    if (t.op === "const") return t.value;
    const known = this.memo.get(t);
    if (known !== undefined) return known;
    const value = this.compute(t);
    this.memo.set(t, value);
    return value;
  }

  /** The value of a scalar: unsigned, a bool as 0n or 1n. */
  number(t: Term): bigint {
    const value = t.op === "const" ? t.value : this.value(t);
    if (typeof value !== "bigint") throw new InternalDefect(`${t.op} is not a scalar`);
    return value;
  }

  holds(t: Term): boolean {
    return this.number(t) === 1n;
  }

  private compute(t: Term): Value {
    switch (t.op) {
      case "var":
        return this.environment.variable(t);
      case "ite":
        return this.value(argument(t, this.holds(argument(t, 0)) ? 1 : 2));
      case "select":
        return this.file(argument(t, 0)).get(this.number(argument(t, 1)));
      case "store":
        return this.file(argument(t, 0)).set(this.number(argument(t, 1)), this.number(argument(t, 2)));
      case "lambda":
        return this.lambda(t);
      case "load":
        return this.memory(argument(t, 0)).load(this.number(argument(t, 1)), t.bytes);
      case "write":
        return this.memory(argument(t, 0)).store(this.number(argument(t, 1)), t.bytes, this.number(argument(t, 2)));
      case "accessible":
        return this.memory(argument(t, 0)).accessible(t.access, this.number(argument(t, 1)), t.bytes) ? 1n : 0n;
      case "apply": {
        const definition = definitionOf(t.name);
        if (definition !== undefined) return this.defined(t, definition);
        const args = t.args.map((arg) => this.number(arg));
        return this.environment.apply?.(t, args) ?? hashedApply(t, args);
      }
      default:
        return operate(
          t,
          t.args.map((arg) => this.number(arg)),
        );
    }
  }

  private defined(t: Term, { parameters, body }: FunctionDefinition): bigint {
    const values = new Map(parameters.map((p, i) => [p, this.value(argument(t, i))]));
    const outer = this.environment;
    const inner: Environment = {
      variable: (v) => values.get(v) ?? outer.variable(v),
      apply: (term, args) => outer.apply?.(term, args) ?? hashedApply(term, args),
    };
    return new Evaluator(inner).number(body);
  }

  private file(t: Term): FileValue {
    const value = this.value(t);
    if (!(value instanceof FileValue)) throw new InternalDefect(`${t.op} has no file for a value`);
    return value;
  }

  private memory(t: Term): MemoryValue {
    const value = this.value(t);
    if (!(value instanceof MemoryValue)) throw new InternalDefect(`${t.op} has no memory for a value`);
    return value;
  }

  private lambda(t: Term): FileValue {
    const bound = boundVariable(t);
    const body = argument(t, 0);
    const outer = this.environment;
    const elements: bigint[] = [];
    for (let i = 0; i < fileSortOf(t).count; i++) {
      const index = BigInt(i);
      const inner: Environment = {
        variable: (v) => (v === bound ? index : outer.variable(v)),
        apply: (term, args) => outer.apply?.(term, args) ?? hashedApply(term, args),
      };
      elements.push(new Evaluator(inner).number(body));
    }
    return new FileValue(elements);
  }
}

/** The value of one term. */
export function evaluate(t: Term, environment: Environment): Value {
  return new Evaluator(environment).value(t);
}
