/**
 * Takes files and memories out of scalar terms, but for reads of variables: a read over a write, a store, a lambda or an
 * if-then-else becomes an if-then-else of scalars. What remains of arrays are reads of file and memory variables at
 * scalar indices, and what becomes of those is for the caller to say.
 */
import { InternalDefect } from "../errors.js";
import { add, and, constant, eq, FALSE, ite, not, rebuild, TRUE, ult } from "../terms/build.js";
import { Assumptions } from "../terms/assume.js";
import { argument, boundVariable, fileSortOf } from "../terms/construct.js";
import { Substitution } from "../terms/substitute.js";
import type { Access, Term } from "../terms/term.js";
import type { Distance } from "./distances.js";
import { either, loadAfter, type Port, type Written, write } from "./writes.js";

/** What becomes of a read of a variable, and of an uninterpreted function, once indices and arguments are flat. */
export interface BaseReads {
  select(file: Term, index: Term): Term;
  load(memory: Term, address: Term, bytes: number): Term;
  accessible(memory: Term, access: Access, address: Term, bytes: number): Term;
  apply(original: Term, args: readonly Term[]): Term;
  /** a − b, for two addresses. */
  distance(a: Term, b: Term): Distance;
}

/** A read at one of more indices than this is left as one read. */
const MOST_ALTERNATIVES = 12;

export class Flattener {
  private readonly base: BaseReads;
  private readonly scalars = new Map<Term, Term>();
  private readonly reads = new Map<string, Term>();
  private readonly memories = new Map<Term, Written>();
  private readonly many = new Map<Term, boolean>();
  private readonly known = new Map<Term, ReadonlySet<Term> | undefined>();

  constructor(base: BaseReads) {
    this.base = base;
  }

  /** The flat form of a scalar term. */
  scalar(t: Term): Term {
    if (t.args.length === 0 && t.op !== "apply") return t;
    const known = this.scalars.get(t);
    if (known !== undefined) return known;
    const flat = this.flatten(t);
    this.scalars.set(t, flat);
    return flat;
  }

  private flatten(t: Term): Term {
    switch (t.op) {
      case "select":
        return this.select(argument(t, 0), this.scalar(argument(t, 1)));
      case "load":
        return this.load(argument(t, 0), this.scalar(argument(t, 1)), t.bytes);
      case "accessible":
        return this.accessible(argument(t, 0), t.access, this.scalar(argument(t, 1)), t.bytes);
      case "apply":
        return this.base.apply(
          t,
          t.args.map((arg) => this.scalar(arg)),
        );
      case "ite": {
        const [condition, yes, no] = [argument(t, 0), argument(t, 1), argument(t, 2)];
        return this.choose(
          condition,
          () => this.scalar(this.given(condition, yes)),
          () => this.scalar(this.given(not(condition), no)),
        );
      }
      case "and":
      case "or":
        return rebuild(
          t,
          t.args.map((arg) => this.scalar(this.amid(t, arg))),
        );
      case "store":
      case "lambda":
      case "write":
        throw new InternalDefect(`a ${t.op} where a scalar is needed`);
      default: {
        const args = t.args.map((arg) => this.scalar(arg));
        return args.every((arg, i) => arg === t.args[i]) ? t : rebuild(t, args);
      }
    }
  }

  /**
   * A branch where its condition holds. Which address is read or written often follows from why it is, and then many
   * questions about how far it is from others are never asked.
   */
  private given(condition: Term, branch: Term): Term {
    return this.hasManyAddresses(branch) ? Assumptions.of([condition]).simplify(branch) : branch;
  }

  /** A conjunct where the others hold, a disjunct where they do not. */
  private amid(t: Term, arg: Term): Term {
    if (!this.hasManyAddresses(arg)) return arg;
    const others = t.args.filter((other) => other !== arg && !this.hasManyAddresses(other));
    return Assumptions.of(t.op === "and" ? others : others.map(not)).simplify(arg);
  }

  /** Whether `t` reads or writes memory at an address that is one of several. */
  private hasManyAddresses(t: Term): boolean {
    const known = this.many.get(t);
    if (known !== undefined) return known;
    const accesses = t.op === "load" || t.op === "write" || t.op === "accessible";
    const many =
      (accesses && this.alternatives(argument(t, 1)) > 1) || t.args.some((arg) => this.hasManyAddresses(arg));
    this.many.set(t, many);
    return many;
  }

  /** An if-then-else, of whose branches one that cannot be taken is never looked at. */
  private choose(condition: Term, yes: () => Term, no: () => Term): Term {
    const c = this.scalar(condition);
    return c === TRUE ? yes() : c === FALSE ? no() : ite(c, yes(), no());
  }

  /**
   * An index or address that is one of a few, by conditions: reads at each of them are easier to compare with others than
   * a read at what is chosen. `undefined` where there is no choice in it, or too many.
   */
  private lift(index: Term): { readonly condition: Term; readonly yes: Term; readonly no: Term } | undefined {
    if (this.outcomes(index) === undefined) return undefined;
    if (index.op === "ite") return { condition: argument(index, 0), yes: argument(index, 1), no: argument(index, 2) };
    const chosen = index.op === "add" ? index.args.find((arg) => arg.op === "ite") : undefined;
    if (chosen === undefined) return undefined;
    const others = index.args.filter((arg) => arg !== chosen);
    const [yes, no] = [argument(chosen, 1), argument(chosen, 2)];
    return { condition: argument(chosen, 0), yes: add(yes, ...others), no: add(no, ...others) };
  }

  /** How many different indices `t` may come to, by the if-then-elses at its top; infinite where they are too many. */
  private alternatives(t: Term): number {
    return this.outcomes(t)?.size ?? Number.POSITIVE_INFINITY;
  }

  private outcomes(t: Term): ReadonlySet<Term> | undefined {
    if (t.op !== "ite" && t.op !== "add") return new Set([t]);
    if (this.known.has(t)) return this.known.get(t);
    let found: Set<Term> | undefined = new Set(t.op === "add" ? [t] : []);
    if (t.op === "ite") {
      for (const branch of t.args.slice(1)) for (const outcome of this.outcomes(branch) ?? [t]) found.add(outcome);
      if (t.args.slice(1).some((branch) => this.outcomes(branch) === undefined)) found = undefined;
    } else {
      const chosen = t.args.find((arg) => arg.op === "ite");
      const choices = chosen === undefined ? undefined : this.outcomes(chosen);
      const others = t.args.filter((arg) => arg !== chosen);
      if (chosen !== undefined) found = choices && new Set([...choices].map((choice) => add(choice, ...others)));
    }
    if (found !== undefined && found.size > MOST_ALTERNATIVES) found = undefined;
    this.known.set(t, found);
    return found;
  }

  private once(key: string, make: () => Term): Term {
    const known = this.reads.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.reads.set(key, made);
    return made;
  }

  private select(file: Term, index: Term): Term {
    return this.once(`select ${file.id} ${index.id}`, () => {
      const lifted = this.lift(index);
      if (lifted !== undefined)
        return ite(lifted.condition, this.select(file, lifted.yes), this.select(file, lifted.no));
      const { count, element } = fileSortOf(file);
      switch (file.op) {
        case "var":
          return index.op === "const" && index.value >= BigInt(count)
            ? constant(element, 0n)
            : this.base.select(file, index);
        case "ite":
          return this.choose(
            argument(file, 0),
            () => this.select(argument(file, 1), index),
            () => this.select(argument(file, 2), index),
          );
        case "store": {
          const hit = and(eq(this.scalar(argument(file, 1)), index), inFile(file, index));
          return this.choose(
            hit,
            () => this.scalar(argument(file, 2)),
            () => this.select(argument(file, 0), index),
          );
        }
        case "lambda":
          return this.choose(
            inFile(file, index),
            () => this.scalar(new Substitution(new Map([[boundVariable(file), index]])).apply(argument(file, 0))),
            () => constant(element, 0n),
          );
        default:
          throw new InternalDefect(`a ${file.op} where a file is needed`);
      }
    });
  }

  private load(memory: Term, address: Term, bytes: number): Term {
    return this.once(`load ${bytes} ${memory.id} ${address.id}`, () => {
      const lifted = this.lift(address);
      if (lifted !== undefined) {
        return ite(lifted.condition, this.load(memory, lifted.yes, bytes), this.load(memory, lifted.no, bytes));
      }
      return this.loadFrom(this.written(memory), address, bytes);
    });
  }

  private loadFrom({ base, ports }: Written, address: Term, bytes: number): Term {
    const before =
      "op" in base
        ? this.base.load(base, address, bytes)
        : ite(base.condition, this.loadFrom(base.yes, address, bytes), this.loadFrom(base.no, address, bytes));
    return loadAfter(ports, bytes, before, (port) => this.base.distance(address, port.address));
  }

  private written(memory: Term): Written {
    const known = this.memories.get(memory);
    if (known !== undefined) return known;
    const made = this.flattenMemory(memory);
    this.memories.set(memory, made);
    return made;
  }

  private flattenMemory(memory: Term): Written {
    switch (memory.op) {
      case "var":
        return { base: memory, ports: [] };
      case "write": {
        const before = this.written(argument(memory, 0));
        return this.writeTo(
          before,
          this.scalar(argument(memory, 1)),
          memory.bytes,
          this.scalar(argument(memory, 2)),
          TRUE,
        );
      }
      case "ite": {
        const condition = this.scalar(argument(memory, 0));
        if (condition === TRUE) return this.written(argument(memory, 1));
        if (condition === FALSE) return this.written(argument(memory, 2));
        const [yes, no] = [this.written(argument(memory, 1)), this.written(argument(memory, 2))];
        return either(condition, this.under(condition, yes), this.under(not(condition), no));
      }
      default:
        throw new InternalDefect(`a ${memory.op} where a memory is needed`);
    }
  }

  /** The same where `condition` holds: which of several addresses is written to may follow from why it is written. */
  private under(condition: Term, { base, ports }: Written): Written {
    if (ports.every((port) => this.alternatives(port.address) === 1)) return { base, ports };
    const given = Assumptions.of([condition]);
    const simpler = (port: Port): Port => {
      const address = this.alternatives(port.address) === 1 ? port.address : given.simplify(port.address);
      return address === port.address ? port : { ...port, address };
    };
    return { base, ports: ports.map(simpler) };
  }

  /** A write at one of several addresses is a write at each, under a condition. */
  private writeTo(before: Written, address: Term, bytes: number, value: Term, when: Term): Written {
    const lifted = this.lift(address);
    if (lifted === undefined) return write(before, address, bytes, value, when);
    const first = this.writeTo(before, lifted.yes, bytes, value, and(when, lifted.condition));
    return this.writeTo(first, lifted.no, bytes, value, and(when, not(lifted.condition)));
  }

  private accessible(memory: Term, access: Access, address: Term, bytes: number): Term {
    return this.once(`accessible ${access} ${bytes} ${memory.id} ${address.id}`, () => {
      const lifted = this.lift(address);
      if (lifted !== undefined) {
        const yes = this.accessible(memory, access, lifted.yes, bytes);
        return ite(lifted.condition, yes, this.accessible(memory, access, lifted.no, bytes));
      }
      switch (memory.op) {
        case "var":
          return this.base.accessible(memory, access, address, bytes);
        case "ite":
          return this.choose(
            argument(memory, 0),
            () => this.accessible(argument(memory, 1), access, address, bytes),
            () => this.accessible(argument(memory, 2), access, address, bytes),
          );
        case "write":
          return this.accessible(argument(memory, 0), access, address, bytes);
        default:
          throw new InternalDefect(`a ${memory.op} where a memory is needed`);
      }
    });
  }
}

/** Whether `index` names an element: a read beyond the file's count gives 0 and a store there vanishes. */
export function inFile(file: Term, index: Term): Term {
  const { count, index: width } = fileSortOf(file);
  return count === 2 ** width ? TRUE : ult(index, constant(width, BigInt(count)));
}
