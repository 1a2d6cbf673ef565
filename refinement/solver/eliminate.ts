/**
 * Turns assertions into ones about bools and bit vectors alone. A read of a file or memory variable at an address becomes
 * a fresh variable, or a slice of one that stands for a block where reads lie next to each other; axioms (Ackermann's)
 * say that blocks which overlap agree. Permissions are read like a memory whose "bytes" are single bits, and
 * uninterpreted functions likewise.
 */
import { InternalDefect } from "../errors.js";
import { and, constant, eq, extract, FALSE, implies, not, TRUE, ult, variable } from "../terms/build.js";
import { widthOf } from "../terms/construct.js";
import { Evaluator, environmentOf, hashedApply, zeroValue } from "../terms/evaluate.js";
import { Substitution } from "../terms/substitute.js";
import { bits, type FileSort, type Sort } from "../terms/sort.js";
import type { Access, Term } from "../terms/term.js";
import { FileValue, MemoryValue, type Permissions, type Value } from "../terms/value.js";
import { freeVariables } from "../terms/variables.js";
import { blocksOf, type Read } from "./blocks.js";
import { type Definition, Distances } from "./distances.js";
import { Flattener } from "./flatten.js";

/** One call of an uninterpreted function. */
interface Call {
  readonly original: Term;
  readonly args: readonly Term[];
  readonly value: Term;
}

/** What is read of one base variable, or of its permissions for one kind of access. */
interface Group {
  readonly variable: Term;
  readonly access: Access | undefined;
  readonly unitWidth: number;
  readonly reads: Map<string, Read>;
  /** What the reads are slices of. */
  blocks: readonly Read[];
}

/** Reads next to each other share a block up to this many units; those that overlap always do. */
const BLOCK = 16;

export class Elimination {
  /** The assertions, over bools and bit vectors. */
  readonly assertions: readonly Term[];
  /** Variables that the assertions and axioms mention and what they are. */
  readonly definitions: readonly Definition[];
  /** With these the assertions have a model just if the original ones do; each of them holds in any case. */
  readonly axioms: readonly Term[];
  private readonly originals: ReadonlySet<Term>;
  private readonly names: Set<string>;
  private readonly groups = new Map<string, Group>();
  private readonly calls = new Map<string, Call[]>();
  private readonly distances = new Distances((name, sort) => this.fresh(name, sort));

  constructor(assertions: readonly Term[]) {
    this.originals = freeVariables(assertions);
    this.names = new Set([...this.originals].map((v) => v.name));
    const flattener = new Flattener({
      select: (file, index) => this.read(file, undefined, file.sort.kind === "file" ? file.sort.element : 0, index, 1),
      load: (memory, address, bytes) => this.read(memory, undefined, 8, address, bytes),
      accessible: (memory, access, address, bytes) =>
        eq(this.read(memory, access, 1, address, bytes), constant(bytes, -1n)),
      apply: (original, args) => this.call(original, args),
      distance: (a, b) => this.distances.between(a, b),
    });
    const flat = assertions.map((assertion) => flattener.scalar(assertion));
    const slices = this.formBlocks();
    const sliced = flat.map((t) => slices.apply(t));
    this.distances.substitute(slices);
    for (const calls of this.calls.values()) {
      for (const [i, call] of calls.entries()) calls[i] = { ...call, args: call.args.map((arg) => slices.apply(arg)) };
    }
    this.axioms = this.constraints().filter((t) => t !== TRUE);
    this.assertions = sliced.map((t) => this.distances.rewrite(t)).filter((t) => t !== TRUE);
    this.definitions = this.distances.definitions;
  }

  /**
   * Values of the original variables, from those of the scalar ones. A file's element, a memory's byte that no read
   * names is 0; an access is denied exactly where a read says so.
   */
  model(values: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
    const evaluator = new Evaluator(environmentOf(values, (v) => zeroValue(v.sort)));
    const model = new Map<string, Value>();
    for (const v of this.originals) model.set(v.name, this.valueOf(v, evaluator));
    return model;
  }

  /**
   * What the scalar model gets wrong about uninterpreted functions, which evaluate to a fixed hash: for every such call
   * its true value at the arguments that the model chose.
   */
  corrections(values: ReadonlyMap<string, Value>): Term[] {
    const evaluator = new Evaluator(environmentOf(values, (v) => zeroValue(v.sort)));
    const learned: Term[] = [];
    for (const { original, args, value } of [...this.calls.values()].flat()) {
      const at = args.map((arg) => evaluator.number(arg));
      const truth = hashedApply(original, at);
      if (evaluator.number(value) === truth) continue;
      learned.push(
        implies(
          and(...args.map((arg, i) => eq(arg, literal(arg.sort, at[i] ?? 0n)))),
          eq(value, literal(value.sort, truth)),
        ),
      );
    }
    return learned;
  }

  private read(base: Term, access: Access | undefined, unitWidth: number, address: Term, units: number): Term {
    const key = `${base.id} ${access ?? ""}`;
    let group = this.groups.get(key);
    if (group === undefined) {
      group = { variable: base, access, unitWidth, reads: new Map(), blocks: [] };
      this.groups.set(key, group);
    }
    const place = `${address.id} ${units}`;
    let read = group.reads.get(place);
    if (read === undefined) {
      read = { address, units, value: this.fresh(`${stem(group)}?${group.reads.size}`, bits(unitWidth * units)) };
      group.reads.set(place, read);
    }
    return read.value;
  }

  /** Joins reads to blocks; gives the substitution of slices of blocks for reads. */
  private formBlocks(): Substitution {
    const slices = new Map<Term, Term>();
    const blocks: { group: Group; lowest: Term; units: number; value: Term }[] = [];
    for (const group of this.groups.values()) {
      const most = group.variable.sort.kind === "memory" ? BLOCK : 0;
      for (const { start, units, members } of blocksOf([...group.reads.values()], most)) {
        const value = this.fresh(`${stem(group)}!${blocks.length}`, bits(group.unitWidth * units));
        for (const { read, at } of members) {
          slices.set(read.value, extract(value, (at + read.units) * group.unitWidth - 1, at * group.unitWidth));
        }
        blocks.push({ group, lowest: start, units, value });
      }
    }
    const substitution = new Substitution(slices);
    for (const { group, lowest, units, value } of blocks) {
      group.blocks = [...group.blocks, { address: substitution.apply(lowest), units, value }];
    }
    return substitution;
  }

  private call(original: Term, args: readonly Term[]): Term {
    const signature = `${original.name} ${sortKey(original.sort)} ${args.map((arg) => sortKey(arg.sort)).join(" ")}`;
    let calls = this.calls.get(signature);
    if (calls === undefined) {
      calls = [];
      this.calls.set(signature, calls);
    }
    const known = calls.find((c) => c.args.every((arg, i) => arg === args[i]));
    if (known !== undefined) return known.value;
    const value = this.fresh(`${original.name}!${calls.length}`, original.sort);
    calls.push({ original, args, value });
    return value;
  }

  /** A variable that neither the assertions nor the axioms have. */
  fresh(name: string, sort: Sort): Term {
    let unique = name;
    while (this.names.has(unique)) unique += "!";
    this.names.add(unique);
    return variable(unique, sort);
  }

  private constraints(): Term[] {
    const found: Term[] = [];
    for (const { variable: base, unitWidth, blocks } of this.groups.values()) {
      for (const [i, block] of blocks.entries()) {
        if (base.sort.kind === "file") found.push(beyondIsZero(base.sort, block));
        for (const other of blocks.slice(0, i)) found.push(...this.agreement(other, block, unitWidth));
        found.push(...agreementWithItself(block, unitWidth));
      }
    }
    for (const calls of this.calls.values()) {
      for (const [i, call] of calls.entries()) {
        for (const other of calls.slice(0, i)) {
          const same = call.args.map((arg, j) => eq(arg, other.args[j] ?? arg));
          found.push(implies(and(...same), eq(call.value, other.value)));
        }
      }
    }
    return found;
  }

  /** Two reads agree on the units that both read: at every distance at which they overlap, the slices are equal. */
  private agreement(a: Read, b: Read, unitWidth: number): Term[] {
    if (a.units === 1 && b.units === 1) return [implies(eq(a.address, b.address), eq(a.value, b.value))];
    const distance = this.distances.between(b.address, a.address);
    const distances = [...Array(a.units + b.units - 1).keys()].map((i) => i - (b.units - 1));
    return distances.map((d) => implies(distance.is(d), overlap(a, b, d, unitWidth)));
  }

  private valueOf(v: Term, evaluator: Evaluator): Value {
    switch (v.sort.kind) {
      case "bool":
      case "bits":
        return evaluator.number(v);
      case "file": {
        let file = FileValue.filled(v.sort.count);
        for (const { address, value } of this.blocksOf(v, undefined)) {
          file = file.set(evaluator.number(address), evaluator.number(value));
        }
        return file;
      }
      case "memory": {
        let memory = MemoryValue.empty(v.sort.address, this.permissionsOf(v, evaluator));
        for (const { address, units, value } of this.blocksOf(v, undefined)) {
          memory = memory.store(evaluator.number(address), units, evaluator.number(value));
        }
        return memory;
      }
    }
  }

  private permissionsOf(memory: Term, evaluator: Evaluator): Permissions {
    const denied = new Set<string>();
    const width = memory.sort.kind === "memory" ? memory.sort.address : 0;
    for (const access of ["fetch", "load", "store"] as const) {
      for (const { address, units, value } of this.blocksOf(memory, access)) {
        const granted = evaluator.number(value);
        for (let i = 0; i < units; i++) {
          if (((granted >> BigInt(i)) & 1n) === 1n) continue;
          denied.add(`${access} ${BigInt.asUintN(width, evaluator.number(address) + BigInt(i))}`);
        }
      }
    }
    return (access, address) => !denied.has(`${access} ${address}`);
  }

  private blocksOf(base: Term, access: Access | undefined): readonly Read[] {
    return this.groups.get(`${base.id} ${access ?? ""}`)?.blocks ?? [];
  }
}

function stem({ variable: base, access }: Group): string {
  return access === undefined ? base.name : `${base.name}!${access}`;
}

function sortKey(sort: Sort): string {
  return sort.kind === "bits" ? `${sort.width}` : sort.kind;
}

function literal(sort: Sort, value: bigint): Term {
  if (sort.kind === "bool") return value === 1n ? TRUE : FALSE;
  if (sort.kind !== "bits") throw new InternalDefect(`a literal of sort ${sort.kind}`);
  return constant(sort.width, value);
}

function beyondIsZero(sort: FileSort, read: Read): Term {
  if (sort.count === 2 ** sort.index) return TRUE;
  const inside = ult(read.address, constant(sort.index, BigInt(sort.count)));
  return implies(not(inside), eq(read.value, constant(sort.element, 0n)));
}

/** In an address space smaller than a read, the read meets its own start again. */
function agreementWithItself(read: Read, unitWidth: number): Term[] {
  const width = widthOf(read.address);
  if (width >= 32 || read.units <= 2 ** width) return [];
  const found: Term[] = [];
  for (let d = 2 ** width; d < read.units; d += 2 ** width) found.push(overlap(read, read, d, unitWidth));
  return found;
}

/** That the slices which overlap are equal where `b` starts `d` units above `a`. */
function overlap(a: Read, b: Read, d: number, unitWidth: number): Term {
  const from = Math.max(0, d);
  const to = Math.min(a.units, b.units + d);
  return eq(
    extract(a.value, to * unitWidth - 1, from * unitWidth),
    extract(b.value, (to - d) * unitWidth - 1, (from - d) * unitWidth),
  );
}
