/**
 * Takes files and memories out of scalar terms, but for reads of variables: a read over a write, a store, a lambda or an
 * if-then-else becomes an if-then-else of scalars. What remains of arrays are reads of file and memory variables at
 * scalar indices, and what becomes of those is for the caller to say.
 */
import { InternalDefect } from "../errors.js";
import { add, and, concat, constant, eq, extract, FALSE, ite, rebuild, TRUE, ult } from "../terms/build.js";
import { argument, boundVariable, fileSortOf, widthOf } from "../terms/construct.js";
import { Substitution } from "../terms/substitute.js";
import type { Access, Term } from "../terms/term.js";
import type { Distance } from "./distances.js";

/** What becomes of a read of a variable, and of an uninterpreted function, once indices and arguments are flat. */
export interface BaseReads {
  select(file: Term, index: Term): Term;
  load(memory: Term, address: Term, bytes: number): Term;
  accessible(memory: Term, access: Access, address: Term, bytes: number): Term;
  apply(original: Term, args: readonly Term[]): Term;
  /** a − b, for two addresses. */
  distance(a: Term, b: Term): Distance;
}

export class Flattener {
  private readonly base: BaseReads;
  private readonly scalars = new Map<Term, Term>();
  private readonly reads = new Map<string, Term>();

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
      case "ite":
        return this.choose(
          argument(t, 0),
          () => this.scalar(argument(t, 1)),
          () => this.scalar(argument(t, 2)),
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

  /** An if-then-else, of whose branches one that cannot be taken is never looked at. */
  private choose(condition: Term, yes: () => Term, no: () => Term): Term {
    const c = this.scalar(condition);
    return c === TRUE ? yes() : c === FALSE ? no() : ite(c, yes(), no());
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
      switch (memory.op) {
        case "var":
          return this.base.load(memory, address, bytes);
        case "ite":
          return this.choose(
            argument(memory, 0),
            () => this.load(argument(memory, 1), address, bytes),
            () => this.load(argument(memory, 2), address, bytes),
          );
        case "write":
          return loadOverWrite(
            this.base,
            { address, bytes, before: () => this.load(argument(memory, 0), address, bytes) },
            {
              address: this.scalar(argument(memory, 1)),
              bytes: memory.bytes,
              value: () => this.scalar(argument(memory, 2)),
            },
          );
        default:
          throw new InternalDefect(`a ${memory.op} where a memory is needed`);
      }
    });
  }

  private accessible(memory: Term, access: Access, address: Term, bytes: number): Term {
    return this.once(`accessible ${access} ${bytes} ${memory.id} ${address.id}`, () => {
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

interface Load {
  readonly address: Term;
  readonly bytes: number;
  /** The value before the write. */
  readonly before: () => Term;
}

interface Write {
  readonly address: Term;
  readonly bytes: number;
  readonly value: () => Term;
}

/**
 * n bytes at a, after k bytes were written at b. They overlap for the distances d = a − b with −n < d < k; what the load
 * gives is settled for each d.
 */
function loadOverWrite(base: BaseReads, load: Load, write: Write): Term {
  const width = widthOf(load.address);
  const [n, k] = [load.bytes, write.bytes];
  if (width < 32 && n + k - 1 > 2 ** width) return bytewise(load, write);
  const distance = base.distance(load.address, write.address);
  const order = [...Array(n + k - 1).keys()].map((i) => i - (n - 1)).sort((x, y) => Math.abs(y) - Math.abs(x));
  let result: Term | undefined;
  for (const d of order) {
    const here = distance.is(d);
    if (here === FALSE) continue;
    result = here === TRUE ? merge(load, write, d) : ite(here, merge(load, write, d), result ?? load.before());
  }
  return result ?? load.before();
}

/** The load's value where its first byte is the byte `d` of the write (negative: below it). */
function merge(load: Load, write: Write, d: number): Term {
  const from = Math.max(0, -d);
  const to = Math.min(load.bytes, write.bytes - d);
  const parts: Term[] = [];
  if (to < load.bytes) parts.push(extract(load.before(), 8 * load.bytes - 1, 8 * to));
  parts.push(extract(write.value(), 8 * (to + d) - 1, 8 * (from + d)));
  if (from > 0) parts.push(extract(load.before(), 8 * from - 1, 0));
  return concat(...parts);
}

/** Byte by byte: for an address space so small that load and write can meet at two distances at once. */
function bytewise(load: Load, write: Write): Term {
  const width = widthOf(load.address);
  const parts: Term[] = [];
  for (let j = load.bytes - 1; j >= 0; j--) {
    let byte = extract(load.before(), 8 * j + 7, 8 * j);
    for (let i = 0; i < write.bytes; i++) {
      const hit = eq(add(load.address, constant(width, BigInt(j))), add(write.address, constant(width, BigInt(i))));
      byte = ite(hit, extract(write.value(), 8 * i + 7, 8 * i), byte);
    }
    parts.push(byte);
  }
  return concat(...parts);
}
