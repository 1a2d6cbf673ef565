/** Operands of decoded instructions that are places: part of a register, or bytes of memory. */
import type { Segment } from "../../../refinement/decoded.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { coerce } from "./coerce.js";
import type { Context } from "./context.js";
import { faultUnless, type MemoryAccess } from "./parts.js";
import { Scope } from "./scope.js";
import { bitsType } from "./types.js";
import { type TypedValue, type Val, integer, single, typed } from "./value.js";
import type { Block, Span } from "../syntax/ast.js";
import type { Unit } from "./world.js";

export type OperandPlace = RegisterPlace | MemoryPlace;

export interface RegisterPlace {
  readonly kind: "register";
  readonly name: string;
  readonly width: number;
  /** Of the bits in the register. */
  readonly lo: number;
  readonly register: string;
  readonly conventions: Conventions;
}

export interface MemoryPlace {
  readonly kind: "memory";
  readonly name: string;
  /** 0 where only the address is used. */
  readonly width: number;
  readonly base: string | undefined;
  readonly index: string | undefined;
  readonly scale: number;
  /** What is added to base and index: a displacement, or with it the address of the next instruction. */
  readonly displacement: Term;
  readonly addressSize: number;
  readonly segment: Segment;
  readonly stack: boolean;
  /** The block assigns it, so that a load from it needs leave to store. */
  readonly assigned: boolean;
  readonly conventions: Conventions;
}

interface Text {
  readonly block: Block;
  readonly unit: Unit;
}

/** What the machine says of operands in general. */
export interface Conventions {
  readonly write: Text;
  readonly memory: string;
  readonly segments: ReadonlyMap<Segment, string>;
  readonly access: Text | undefined;
}

function current(cx: Context, variable: string): Term {
  const term = cx.store.get(variable);
  if (term === undefined) throw new TypeError(`the store has no ${variable}`);
  return term;
}

export function readOperand(cx: Context, place: OperandPlace): TypedValue {
  const type = bitsType(place.width);
  if (place.kind === "register")
    return typed(type, build.extract(current(cx, place.register), place.lo + place.width - 1, place.lo));
  const at = access(cx, place);
  check(cx, place, at, place.assigned ? "store" : "load");
  return typed(type, build.load(at.memory, at.address, at.bytes));
}

export function writeOperand(cx: Context, place: OperandPlace, value: TypedValue): void {
  if (place.kind === "memory") {
    const at = access(cx, place);
    check(cx, place, at, "store");
    cx.store.set(place.conventions.memory, build.write(at.memory, at.address, at.bytes, single(value)));
    return;
  }
  const old = current(cx, place.register);
  const width = old.sort.kind === "bits" ? old.sort.width : place.width;
  cx.store.set(
    place.register,
    place.lo === 0 ? lowBits(cx, place, typed(bitsType(width), old), value) : middleBits(place, old, width, value),
  );
}

function lowBits(cx: Context, { conventions }: RegisterPlace, old: TypedValue, value: TypedValue): Term {
  const { write } = conventions;
  const scope = new Scope();
  scope.define("old", { kind: "value", value: old, what: "the register's old value" });
  scope.define("value", { kind: "value", value, what: "the value written" });
  return cx.inUnit(write.unit, scope, () => {
    const whole = coerce(cx, cx.evaluateBlock(write.block, old.type), old.type, write.block.span, "`write`");
    return whole === undefined ? single(old) : single(whole);
  });
}

function middleBits(place: RegisterPlace, old: Term, width: number, value: TypedValue): Term {
  const hi = place.lo + place.width - 1;
  return build.concat(build.extract(old, width - 1, hi + 1), single(value), build.extract(old, place.lo - 1, 0));
}

/** Base, index and displacement, before the segment's base is added; moved by `by` bytes. */
export function offsetOf(cx: Context, place: MemoryPlace, by?: Term): Term {
  const offset = sumOf(cx, place);
  return by === undefined ? offset : wrapped(place, build.add(offset, by));
}

function sumOf(cx: Context, place: MemoryPlace): Term {
  // What the registers hold where the block first uses the operand counts: xadd and pop change them under way.
  const key = `%offset ${place.name}`;
  const known = cx.store.get(key);
  if (known !== undefined) return known;
  let sum = place.displacement;
  if (place.base !== undefined) sum = build.add(current(cx, place.base), sum);
  if (place.index !== undefined)
    sum = build.add(sum, build.mul(current(cx, place.index), build.constant(64, BigInt(place.scale))));
  const offset = wrapped(place, sum);
  cx.store.set(key, offset);
  return offset;
}

function wrapped(place: MemoryPlace, sum: Term): Term {
  return place.addressSize === 64 ? sum : build.zext(build.extract(sum, place.addressSize - 1, 0), 64);
}

/** A segment's base is added to the offset. */
export function isSegmented({ conventions, segment }: MemoryPlace): boolean {
  return conventions.segments.has(segment);
}

/** The address that is accessed, moved by `by` bytes. */
export function linearAddress(cx: Context, place: MemoryPlace, by?: Term): Term {
  const offset = offsetOf(cx, place, by);
  const base = place.conventions.segments.get(place.segment);
  return base === undefined ? offset : build.add(current(cx, base), offset);
}

function access(cx: Context, place: MemoryPlace): MemoryAccess {
  return { memory: current(cx, place.conventions.memory), address: linearAddress(cx, place), bytes: place.width / 8 };
}

function check(cx: Context, place: MemoryPlace, at: MemoryAccess, kind: "load" | "store"): void {
  const { access: before, memory } = place.conventions;
  if (before !== undefined) {
    const scope = new Scope();
    const define = (name: string, value: Val): void => {
      scope.define(name, { kind: "value", value, what: "part of an access" });
    };
    define("address", typed(bitsType(64), at.address));
    define("offset", typed(bitsType(64), offsetOf(cx, place)));
    define("segmented", { kind: "truth", value: isSegmented(place) });
    define("bytes", integer(BigInt(at.bytes)));
    define("stack", { kind: "truth", value: place.stack });
    cx.inUnit(before.unit, scope, () => cx.execute(before.block));
  }
  const trap = cx.world.state.get(memory)?.faults[kind];
  if (trap !== undefined) faultUnless(cx, at, kind, trap);
}

/** The operand that a name stands for, for what takes an operand itself and not its value. */
export function memoryOperand(cx: Context, name: string, span: Span): MemoryPlace | undefined {
  const binding = cx.scope.get(name);
  if (binding?.kind === "operand" && binding.operand.kind === "memory") return binding.operand;
  cx.report("E_TYPE", span, `\`${name}\` is no operand in memory, and has no address`);
  return undefined;
}
