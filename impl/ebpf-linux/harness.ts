/**
 * The program around one instruction: it takes the registers from the context, runs the instruction, and puts back what it finds.
 *
 *     [callers, where the instruction is to run in a deeper frame]
 *     main:         registers from the context; the base of an access from the window
 *     instruction:  the one that is tried
 *     next, taken:  where it can go; each notes that it was reached
 *     done:         registers to the context
 *
 * The verifier refuses what cannot be reached, and knows no value that comes from the context: what lies between a jump and its
 * target is reached, as far as it knows, where a word of the context is not zero.
 */
import { accessOf, distanceOf, FRAME_POINTER, isBranch, isExit, isLocalCall, make, type Slot } from "./slots.js";

/** Words of the context. */
export const CONTEXT = {
  registers: 0,
  notZero: 10,
  results: 11,
  reached: 21,
  framePointer: 22,
  base: 23,
  stack: 24,
  /** Of the callee's registers, where the instruction is its `exit`. */
  callee: 25,
  words: 35,
} as const;

/** Bytes of the window that accesses see, and those behind them that a callee leaves its arguments in. */
export const WINDOW = { seen: 64, size: 128 } as const;
/** Of the aligned eight bytes of an access in the window. */
const ACCESS_AT = 24;

export const REACHED = { next: 1, taken: 2 } as const;
/** What a callee returns, to be known again. */
export const RETURNED = 0x7a11;

const SAVED = { context: -8, reached: -16, base: -24, registers: -32 } as const;
const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
const KEPT = [0, 6, 7, 8, 9] as const;
const ARGUMENTS = [1, 2, 3, 4, 5] as const;

export interface Trial {
  /** One, or two of a wide instruction. */
  readonly words: readonly bigint[];
  readonly slot: Slot;
  /** Where the guest's access begins, for its alignment; if the instruction is one. */
  readonly address: bigint | undefined;
  /** Callers of the function that the instruction is in. */
  readonly depth: number;
}

export interface Harness {
  readonly slots: readonly bigint[];
  /** Of the window's bytes, the first that the access touches. */
  readonly accessAt: number | undefined;
  /** Offset of the aligned double word of the stack that the access touches, if its base is the frame pointer. */
  readonly stackAt: number | undefined;
}

/** Where an access relative to the frame pointer may go: aligned, and clear of what the program itself keeps there. */
export function fitsStack(offset: number, bytes: number): boolean {
  return offset % bytes === 0 && offset >= -512 && offset + bytes <= SAVED.registers - 8 * 10;
}

/** Undefined where no program has the instruction at such a distance from its target. */
export function harness(trial: Trial, map: number): Harness | undefined {
  const { slot } = trial;
  const access = accessOf(slot);
  const stackAt = access?.base === FRAME_POINTER ? Math.floor(slot.offset / 8) * 8 : undefined;
  const inWindow = access !== undefined && access.base < FRAME_POINTER;
  const accessAt = inWindow ? ACCESS_AT + Number((trial.address ?? 0n) & 7n) : undefined;
  const parts = new Parts(trial, map, accessAt, stackAt);
  const slots = isLocalCall(slot) ? parts.call() : isExit(slot) ? parts.exit() : parts.other();
  return slots === undefined ? undefined : { slots, accessAt, stackAt };
}

/** A program whose control leaves it at once. */
export const LEAVES: readonly bigint[] = [make.goto(1000), make.exit()];

/** Programs that only the ability to load them is asked of. */
export const PROBES = {
  any: [make.set(0, 1), make.exit()],
  last: [make.set(0, 1), ...make.recent(), make.exit()],
} as const;

class Parts {
  private readonly trial: Trial;
  private readonly map: number;
  private readonly accessAt: number | undefined;
  private readonly stackAt: number | undefined;
  private code = new Code();

  constructor(trial: Trial, map: number, accessAt: number | undefined, stackAt: number | undefined) {
    this.trial = trial;
    this.map = map;
    this.accessAt = accessAt;
    this.stackAt = stackAt;
  }

  /** Anything but calls and returns. */
  other(): readonly bigint[] {
    const { slot, words } = this.trial;
    const { code } = this;
    const distance = distanceOf(slot) ?? 0;
    const falls = distanceOf(slot) === undefined || isBranch(slot);
    if (distance < 0) {
      this.begin(-distance - 2 > 0);
      code.jump("instruction", make.goto);
      code.jump("taken", make.goto);
      this.filler(-distance - 2);
      code.place("instruction");
      code.add(...words);
      if (falls) {
        this.note(REACHED.next);
        code.jump("done", make.goto);
      }
      code.place("taken");
      this.note(REACHED.taken);
    } else {
      const between = Math.max(0, distance - (falls ? 1 : 0));
      this.begin(between > 0);
      code.add(...words);
      if (distance > 0) {
        if (falls) code.jump("next", make.goto);
        this.filler(between);
        this.note(REACHED.taken);
        code.jump("done", make.goto);
      }
      if (falls || distance === 0) {
        code.place("next");
        this.note(REACHED.next);
      }
    }
    this.done(ALL);
    return code.slots();
  }

  /** `exit`: of the program itself, or of a function that is called for it. */
  exit(): readonly bigint[] {
    const { code } = this;
    if (this.trial.depth === 0) {
      this.begin(false);
      code.add(...this.trial.words);
      return code.slots();
    }
    this.keepContext();
    for (const i of KEPT) code.add(make.load(i, 1, 8 * (CONTEXT.registers + i)));
    code.jump("callee", make.call);
    this.note(REACHED.next);
    this.done(KEPT);
    code.place("callee");
    this.registers(CONTEXT.callee);
    code.add(...this.trial.words);
    return code.slots();
  }

  /** A call of a function that says what it was called with, and what is left when it returns. */
  call(): readonly bigint[] | undefined {
    const { imm } = this.trial.slot;
    if (imm >= 1) {
      this.callers("main");
      this.code.place("main");
      this.begin(imm > 1);
      this.code.jump("instruction", make.goto);
      this.returned();
      this.code.place("instruction");
      this.code.add(...this.trial.words);
      this.code.jump("returned", make.goto);
      this.filler(imm - 1);
      this.callee();
      return this.code.slots();
    }
    const padding = -imm - 1 - this.backwards(0);
    if (padding < 0) return undefined;
    this.code = new Code();
    this.backwards(padding);
    return this.code.slots();
  }

  /** The callee before its caller; slots from the one to the other's call. */
  private backwards(padding: number): number {
    const { code } = this;
    this.callers("main", 1);
    const callee = code.length;
    for (let i = 0; i < padding; i++) code.add(make.set(0, 0));
    this.callee();
    code.place("main");
    this.begin(false);
    const call = code.length;
    code.add(...this.trial.words);
    this.returned();
    return call - callee;
  }

  /** Functions that call each other, the last one `main`. */
  private callers(main: string, more = 0): void {
    const count = this.trial.depth + more;
    for (let i = 0; i < count; i++) {
      this.code.place(`caller ${i}`);
      this.code.jump(i + 1 === count ? main : `caller ${i + 1}`, make.call);
      this.code.add(make.exit());
    }
  }

  private callee(): void {
    const { code } = this;
    for (const i of ARGUMENTS) code.add(make.store(FRAME_POINTER, -8 * i, i));
    code.add(...make.mapValue(1, this.map, WINDOW.seen));
    for (const i of ARGUMENTS) code.add(make.load(2, FRAME_POINTER, -8 * i), make.store(1, 8 * (i - 1), 2));
    for (const i of [6, 7, 8, 9]) code.add(make.set(i, -i));
    code.add(make.set(0, RETURNED), make.exit());
  }

  private returned(): void {
    this.code.place("returned");
    this.note(REACHED.next);
    this.done(KEPT);
  }

  private keepContext(): void {
    this.code.add(make.store(FRAME_POINTER, SAVED.context, 1));
  }

  private begin(hasFiller: boolean): void {
    const { code, accessAt, stackAt } = this;
    const { slot } = this.trial;
    this.keepContext();
    if (hasFiller) {
      code.add(make.load(2, 1, 8 * CONTEXT.notZero));
      code.jump("filler", (distance) => make.gotoUnlessZero(2, distance));
    }
    if (stackAt !== undefined) code.add(make.load(2, 1, 8 * CONTEXT.stack), make.store(FRAME_POINTER, stackAt, 2));
    code.add(make.copy(2, FRAME_POINTER), make.store(1, 8 * CONTEXT.framePointer, 2));
    this.registers(CONTEXT.registers);
    const base = accessOf(slot)?.base;
    if (accessAt === undefined || base === undefined) return;
    code.add(...make.mapValue(base, this.map, accessAt), make.add(base, -slot.offset));
    code.add(make.store(FRAME_POINTER, SAVED.base, base));
  }

  private registers(at: number): void {
    for (const i of [0, 2, 3, 4, 5, 6, 7, 8, 9, 1]) this.code.add(make.load(i, 1, 8 * (at + i)));
  }

  private note(reached: number): void {
    this.code.add(make.storeNumber(FRAME_POINTER, SAVED.reached, reached));
  }

  private filler(count: number): void {
    if (count === 0) return;
    this.code.place("filler");
    for (let i = 0; i < count - 1; i++) this.code.add(make.set(0, 0));
    this.code.jump("out", make.goto);
  }

  private done(registers: readonly number[]): void {
    const { code } = this;
    code.place("done");
    const saved = (i: number): number => SAVED.registers - 8 * i;
    for (const i of registers) code.add(make.store(FRAME_POINTER, saved(i), i));
    code.add(make.load(1, FRAME_POINTER, SAVED.context));
    const put = (word: number, from: number): void =>
      code.add(make.load(2, FRAME_POINTER, from), make.store(1, 8 * word, 2));
    for (const i of registers) put(CONTEXT.results + i, saved(i));
    put(CONTEXT.reached, SAVED.reached);
    if (this.accessAt !== undefined) put(CONTEXT.base, SAVED.base);
    if (this.stackAt !== undefined) put(CONTEXT.stack, this.stackAt);
    code.place("out");
    code.add(make.set(0, 0), make.exit());
  }
}

/** Slots with jumps whose distances are filled in at the end. */
class Code {
  private readonly list: bigint[] = [];
  private readonly places = new Map<string, number>();
  private readonly jumps: { readonly at: number; readonly to: string; readonly make: (distance: number) => bigint }[] =
    [];

  get length(): number {
    return this.list.length;
  }

  add(...slots: readonly bigint[]): void {
    this.list.push(...slots);
  }

  place(name: string): void {
    this.places.set(name, this.list.length);
  }

  jump(to: string, makeJump: (distance: number) => bigint): void {
    this.jumps.push({ at: this.list.length, to, make: makeJump });
    this.list.push(0n);
  }

  slots(): readonly bigint[] {
    const filled = [...this.list];
    for (const jump of this.jumps) filled[jump.at] = jump.make((this.places.get(jump.to) ?? 0) - jump.at - 1);
    return filled;
  }
}
