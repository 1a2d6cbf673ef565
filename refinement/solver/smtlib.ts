/**
 * Terms as SMT-LIB 2 text, logic QF_BV. What is shared in the terms is shared in the text by `let`: a `define-fun` would
 * survive the `(reset)` of some solvers.
 */
import { InternalDefect, unreachable } from "../errors.js";
import { argument } from "../terms/construct.js";
import type { Sort } from "../terms/sort.js";
import type { Term } from "../terms/term.js";
import type { Script } from "./backend.js";
import type { Wanted } from "./values.js";

/** A query and how its model is to be read. */
export interface Query extends Script {
  readonly variables: readonly Term[];
  /** The values asked for, in the order of `variables`. */
  readonly wanted: readonly Wanted[];
}

/** Terms nested deeper than this in the text get a name, so that no reader has to nest deeply. */
const MAX_NESTING = 24;

/** Asks for a model of all `assertions`: bools over bools and bit vectors. */
export function toSmtlib(assertions: readonly Term[]): Query {
  const order = inOrder(assertions);
  const variables = order.filter((t) => t.op === "var");
  const symbols = symbolsFor(variables);
  const wanted = variables.map((v) => ({
    symbol: symbolOf(symbols, v),
    width: v.sort.kind === "bits" ? v.sort.width : 0,
  }));
  const lines = ["(set-logic QF_BV)"];
  for (const v of variables) lines.push(`(declare-fun |${symbolOf(symbols, v)}| () ${sortText(v.sort)})`);
  lines.push(new Printer(symbols).assertion(assertions, order), "(check-sat)");
  const values = wanted.length === 0 ? undefined : `(get-value (${wanted.map((w) => `|${w.symbol}|`).join(" ")}))`;
  return { check: lines.join("\n"), values, variables, wanted };
}

/** A distinct symbol for each variable: its name, as far as SMT-LIB can quote it. */
function symbolsFor(variables: readonly Term[]): ReadonlyMap<Term, string> {
  const symbols = new Map<Term, string>();
  const taken = new Set<string>();
  for (const v of variables) {
    let symbol = v.name.replace(/[^ -~]|[|\\]/g, "_");
    while (taken.has(symbol)) symbol += "'";
    taken.add(symbol);
    symbols.set(v, symbol);
  }
  return symbols;
}

function symbolOf(symbols: ReadonlyMap<Term, string>, v: Term): string {
  const symbol = symbols.get(v);
  if (symbol === undefined) throw new InternalDefect(`no symbol for the variable ${v.name}`);
  return symbol;
}

function sortText(sort: Sort): string {
  switch (sort.kind) {
    case "bool":
      return "Bool";
    case "bits":
      return `(_ BitVec ${sort.width})`;
    case "file":
    case "memory":
      throw new InternalDefect(`a ${sort.kind} reached a solver`);
    default:
      return unreachable(sort);
  }
}

class Printer {
  private readonly symbols: ReadonlyMap<Term, string>;
  private readonly uses = new Map<Term, number>();
  /** The text by which a term is written where it is used. */
  private readonly text = new Map<Term, string>();
  private readonly nesting = new Map<Term, number>();
  /** How many rounds of definitions a term needs before it can be written. */
  private readonly level = new Map<Term, number>();
  private readonly definitions: string[][] = [];

  constructor(symbols: ReadonlyMap<Term, string>) {
    this.symbols = symbols;
  }

  /** `order`: every term in the assertions, arguments first. */
  assertion(assertions: readonly Term[], order: readonly Term[]): string {
    for (const t of order) for (const arg of t.args) this.uses.set(arg, (this.uses.get(arg) ?? 0) + 1);
    let named = 0;
    for (const t of order) {
      const text = this.write(t);
      const nesting = 1 + Math.max(0, ...t.args.map((arg) => this.nesting.get(arg) ?? 0));
      const level = Math.max(0, ...t.args.map((arg) => this.level.get(arg) ?? 0));
      const leaf = t.op === "var" || t.op === "const";
      const define = !leaf && ((this.uses.get(t) ?? 0) > 1 || nesting >= MAX_NESTING);
      if (define) {
        const name = `?${named++}`;
        const round = this.definitions[level] ?? [];
        this.definitions[level] = round;
        round.push(`(${name} ${text})`);
        this.text.set(t, name);
      } else this.text.set(t, text);
      this.nesting.set(t, leaf || define ? 0 : nesting);
      this.level.set(t, define ? level + 1 : level);
    }
    const conjuncts = assertions.map((t) => this.use(t));
    const whole =
      conjuncts.length === 0 ? "true" : conjuncts.length === 1 ? conjuncts.join("") : `(and\n${conjuncts.join("\n")})`;
    const lets = this.definitions.map((round) => `(let (${round.join("\n")})\n`);
    return `(assert ${lets.join("")}${whole}${")".repeat(lets.length)})`;
  }

  private use(t: Term): string {
    const text = this.text.get(t);
    if (text === undefined) throw new InternalDefect(`${t.op} is used before it is written`);
    return text;
  }

  private write(t: Term): string {
    const args = t.args.map((arg) => this.use(arg));
    switch (t.op) {
      case "const":
        return t.sort.kind === "bool" ? (t.value === 1n ? "true" : "false") : literal(t.value, widthOfBits(t));
      case "var":
        return `|${symbolOf(this.symbols, t)}|`;
      case "not":
      case "and":
      case "or":
      case "ite":
      case "concat":
        return t.op === "concat" ? nested("concat", args) : `(${t.op} ${args.join(" ")})`;
      case "eq":
        return `(= ${args.join(" ")})`;
      case "ult":
      case "ule":
      case "slt":
      case "sle":
      case "udiv":
      case "urem":
      case "sdiv":
      case "srem":
      case "shl":
      case "lshr":
      case "ashr":
        return `(bv${t.op} ${args.join(" ")})`;
      case "bvnot":
        return `(bvnot ${args.join(" ")})`;
      case "bvand":
      case "bvor":
      case "bvxor":
        return nested(t.op, args);
      case "add":
      case "mul":
        return nested(`bv${t.op}`, args);
      case "extract":
        return `((_ extract ${t.hi} ${t.lo}) ${args.join(" ")})`;
      case "zext":
      case "sext":
        return `((_ ${t.op === "zext" ? "zero" : "sign"}_extend ${widthOfBits(t) - widthOfBits(argument(t, 0))}) ${args.join(" ")})`;
      case "select":
      case "store":
      case "lambda":
      case "load":
      case "write":
      case "accessible":
      case "apply":
        throw new InternalDefect(`${t.op} reached a solver`);
      default:
        return unreachable(t.op);
    }
  }
}

function widthOfBits(t: Term): number {
  if (t.sort.kind !== "bits") throw new InternalDefect(`${t.op} is no bit vector`);
  return t.sort.width;
}

/** The standard gives these operators two arguments. */
function nested(operator: string, args: readonly string[]): string {
  return args.slice(1).reduce((left, right) => `(${operator} ${left} ${right})`, args[0] ?? "");
}

function literal(value: bigint, width: number): string {
  return width % 4 === 0
    ? `#x${value.toString(16).padStart(width / 4, "0")}`
    : `#b${value.toString(2).padStart(width, "0")}`;
}

/** Every term below `roots`, arguments first. */
function inOrder(roots: readonly Term[]): Term[] {
  const done = new Set<Term>();
  const order: Term[] = [];
  const stack: { readonly term: Term; next: number }[] = roots.map((term) => ({ term, next: 0 })).reverse();
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const arg = done.has(top.term) ? undefined : top.term.args[top.next++];
    if (arg !== undefined) {
      if (!done.has(arg)) stack.push({ term: arg, next: 0 });
      continue;
    }
    stack.pop();
    if (done.has(top.term)) continue;
    done.add(top.term);
    order.push(top.term);
  }
  return order;
}
