/**
 * A second opinion: plain terms as SMT-LIB for the `z3` binary. Independent of the checker's own translation, which works
 * on normal forms and so could hide what it should find.
 */
import { spawnSync } from "node:child_process";
import type { Sort } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import { freeVariables } from "../../../refinement/terms/variables.js";

export function z3Available(): boolean {
  return spawnSync("z3", ["-version"]).status === 0;
}

function sortText(sort: Sort): string {
  switch (sort.kind) {
    case "bool":
      return "Bool";
    case "bits":
      return `(_ BitVec ${sort.width})`;
    case "file":
      return `(Array (_ BitVec ${sort.index}) (_ BitVec ${sort.element}))`;
    case "memory":
      return `(Array (_ BitVec ${sort.address}) (_ BitVec 8))`;
  }
}

const SAME_NAME = new Set(["not", "and", "or", "ite", "concat", "bvnot", "bvand", "bvor", "bvxor"]);
const RENAMED: Readonly<Record<string, string>> = {
  eq: "=",
  ult: "bvult",
  ule: "bvule",
  slt: "bvslt",
  sle: "bvsle",
  add: "bvadd",
  mul: "bvmul",
  udiv: "bvudiv",
  urem: "bvurem",
  sdiv: "bvsdiv",
  srem: "bvsrem",
  shl: "bvshl",
  lshr: "bvlshr",
  ashr: "bvashr",
};

function literal(value: bigint, width: number): string {
  return `(_ bv${value} ${width})`;
}

/** Names every shared node with a `let`, so that the text is as small as the graph. */
class Printer {
  private readonly names = new Map<Term, string>();
  readonly bindings: string[] = [];

  text(t: Term): string {
    if (t.op === "var") return `|${t.name}|`;
    if (t.op === "const") return t.sort.kind === "bool" ? String(t.value === 1n) : literal(t.value, width(t));
    const known = this.names.get(t);
    if (known !== undefined) return known;
    const rendered = this.render(t);
    const name = `t${t.id}`;
    this.names.set(t, name);
    this.bindings.push(`(${name} ${rendered})`);
    return name;
  }

  private render(t: Term): string {
    const a = (i: number): string => this.text(arg(t, i));
    if (SAME_NAME.has(t.op)) return `(${t.op} ${t.args.map((x) => this.text(x)).join(" ")})`;
    const renamed = RENAMED[t.op];
    if (renamed !== undefined) return `(${renamed} ${t.args.map((x) => this.text(x)).join(" ")})`;
    switch (t.op) {
      case "extract":
        return `((_ extract ${t.hi} ${t.lo}) ${a(0)})`;
      case "zext":
        return `((_ zero_extend ${width(t) - width(arg(t, 0))}) ${a(0)})`;
      case "sext":
        return `((_ sign_extend ${width(t) - width(arg(t, 0))}) ${a(0)})`;
      case "select":
        return this.within(arg(t, 0), arg(t, 1), `(select ${a(0)} ${a(1)})`, literal(0n, width(t)));
      case "store":
        return this.within(t, arg(t, 1), `(store ${a(0)} ${a(1)} ${a(2)})`, a(0));
      case "lambda": {
        const sort = t.sort;
        if (sort.kind !== "file") throw new RangeError("lambda");
        const inner = new Printer();
        return `(lambda ((|${t.name}| (_ BitVec ${sort.index}))) ${inner.whole(arg(t, 0))})`;
      }
      case "load": {
        const bytes = Array.from(
          { length: t.bytes },
          (_, i) => `(select ${a(0)} ${this.address(arg(t, 1), i)})`,
        ).reverse();
        return bytes.length === 1 ? `${bytes[0]}` : `(concat ${bytes.join(" ")})`;
      }
      case "write": {
        let memory = a(0);
        for (let i = 0; i < t.bytes; i++)
          memory = `(store ${memory} ${this.address(arg(t, 1), i)} ((_ extract ${8 * i + 7} ${8 * i}) ${a(2)}))`;
        return memory;
      }
      case "accessible": {
        const parts = Array.from({ length: t.bytes }, (_, i) =>
          this.permission(t, arg(t, 0), this.address(arg(t, 1), i)),
        );
        return parts.length === 1 ? `${parts[0]}` : `(and ${parts.join(" ")})`;
      }
      default:
        throw new RangeError(`no SMT for ${t.op}`);
    }
  }

  private permission(t: Term, memory: Term, address: string): string {
    if (memory.op === "var") return `(|${memory.name}.${t.access}| ${address})`;
    if (memory.op === "write") return this.permission(t, arg(memory, 0), address);
    const [c, x, y] = [arg(memory, 0), arg(memory, 1), arg(memory, 2)];
    return `(ite ${this.text(c)} ${this.permission(t, x, address)} ${this.permission(t, y, address)})`;
  }

  private within(file: Term, index: Term, inside: string, beyond: string): string {
    const sort = file.sort;
    if (sort.kind !== "file") throw new RangeError("no file");
    if (sort.count === 2 ** sort.index) return inside;
    return `(ite (bvult ${this.text(index)} ${literal(BigInt(sort.count), sort.index)}) ${inside} ${beyond})`;
  }

  private address(t: Term, offset: number): string {
    return offset === 0
      ? this.text(t)
      : `(bvadd ${this.text(t)} ${literal(BigInt.asUintN(width(t), BigInt(offset)), width(t))})`;
  }

  whole(t: Term): string {
    const root = this.text(t);
    return this.bindings.reduceRight((body, binding) => `(let (${binding}) ${body})`, root);
  }
}

function arg(t: Term, i: number): Term {
  const found = t.args[i];
  if (found === undefined) throw new RangeError(`${t.op} lacks an argument`);
  return found;
}

function width(t: Term): number {
  if (t.sort.kind !== "bits") throw new RangeError("no bits");
  return t.sort.width;
}

/** Asks whether a conjunction of plain terms can hold. Each question is answered on its own, in order. */
export function askZ3(questions: readonly (readonly Term[])[], timeoutMs: number): readonly string[] {
  let text = "";
  for (const assertions of questions) {
    text += "(reset)\n";
    text += `(set-option :timeout ${timeoutMs})\n`;
    for (const v of freeVariables(assertions)) {
      text += `(declare-const |${v.name}| ${sortText(v.sort)})\n`;
      if (v.sort.kind === "memory")
        for (const access of ["fetch", "load", "store"])
          text += `(declare-fun |${v.name}.${access}| ((_ BitVec ${v.sort.address})) Bool)\n`;
    }
    for (const assertion of assertions) text += `(assert ${new Printer().whole(assertion)})\n`;
    text += "(check-sat)\n";
  }
  const run = spawnSync("z3", ["-in"], { input: text, encoding: "utf8", maxBuffer: 1 << 26, timeout: 600_000 });
  return run.stdout.trim().split("\n");
}

/** The plain assertion that two terms differ: for files and memories, at some place. */
export function differ(a: Term, b: Term, intern: (op: "not" | "eq", args: readonly Term[]) => Term): Term {
  return intern("not", [intern("eq", [a, b])]);
}
