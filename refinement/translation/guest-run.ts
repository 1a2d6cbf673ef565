/** A block of the guest's run concretely, as far as it is asked for. */
import { InternalDefect } from "../errors.js";
import { apply, widthOf } from "../execute/concrete.js";
import type { State } from "../execute/state.js";
import { Evaluator } from "../terms/evaluate.js";
import { contains, type GuestBytes } from "./guest.js";

export interface GuestState {
  readonly pc: bigint;
  readonly state: State;
  /** Instructions executed before it. */
  readonly steps: number;
  /** Address of the instruction before; `undefined` at the start. */
  readonly last: bigint | undefined;
}

/** A run that is longer does not come to where the host is. */
const MOST_STEPS = 500;

export class GuestRun {
  /** The state that the last instruction made, which trapped; undefined as long as none has. */
  trapped: State | undefined;
  /** Bits of `open` that have been used. */
  used = 0;
  private readonly open: bigint;
  private readonly code: GuestBytes;
  private readonly counter: string;
  private readonly states: GuestState[] = [];
  private ended = false;

  /** `open`: what the definition leaves open, one choice after another, the first lowest. */
  constructor(code: GuestBytes, start: State, open: bigint) {
    this.code = code;
    this.open = open;
    this.counter = code.machine.instructionSet?.programCounter ?? "pc";
    this.add(start);
  }

  /** The first state that is wanted. */
  find(wanted: (at: GuestState) => boolean): GuestState | undefined {
    for (let i = 0; ; i++) {
      while (i >= this.states.length) {
        if (this.ended) return undefined;
        this.step();
      }
      const state = this.states[i];
      if (state !== undefined && wanted(state)) return state;
    }
  }

  /** The trap of the instruction in this state, if it traps. */
  trapOf(at: GuestState): State | undefined {
    while (!this.ended && this.states.at(-1) === at) this.step();
    return this.states.at(-1) === at ? this.trapped : undefined;
  }

  get last(): GuestState | undefined {
    return this.states.at(-1);
  }

  private add(state: State): void {
    const pc = state.get(this.counter);
    if (typeof pc !== "bigint") throw new InternalDefect(`the guest's state has no ${this.counter}`);
    this.states.push({ pc, state, steps: this.states.length, last: this.states.at(-1)?.pc });
    if (!contains(this.code.block, pc) || this.states.length > MOST_STEPS) this.ended = true;
  }

  private choose(width: number): bigint {
    const value = BigInt.asUintN(width, this.open >> BigInt(this.used));
    this.used += width;
    return value;
  }

  private step(): void {
    const before = this.states.at(-1);
    if (before === undefined) throw new InternalDefect("a run has a beginning");
    const { effect, choices } = this.code.at(Number(before.pc - this.code.block.pc));
    // What is not looked at is not left open: an instruction may trap before it comes to its choices.
    const inputs = new Map<string, bigint>();
    const chosen = (name: string): bigint | undefined => {
      const choice = choices.find((c) => c.term.name === name);
      if (choice === undefined) return undefined;
      const value = inputs.get(name) ?? this.choose(widthOf(choice));
      inputs.set(name, value);
      return value;
    };
    const at = new Evaluator({
      variable(v) {
        const value = before.state.get(v.name) ?? chosen(v.name);
        if (value === undefined) throw new InternalDefect(`no value is given for \`${v.name}\``);
        return value;
      },
    });
    const next = apply(this.code.machine, effect, before.state, at);
    if (next.has("trap") && next.get("trap") !== 0n) {
      this.trapped = next;
      this.ended = true;
    } else this.add(next);
  }
}
