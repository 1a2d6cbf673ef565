/** What the rules for guest instructions are written with. */
import { type Quantity, sum } from "../../refinement/translation/quantity.js";
import type { TrapValue } from "../../refinement/translation.js";
import {
  type Address,
  type Code,
  immediate,
  type Label,
  type Leaving,
  memory,
  type Register,
  register,
  type Width,
} from "./code.js";
import { CONTEXT } from "./context.js";
import { type GuestRegister, ZERO } from "./guest-register.js";
import { fits32, load, type Registers } from "./registers.js";

/** The operands of a guest instruction, by field; immediates are as wide as their fields. */
export interface Operands {
  register(field: "rd" | "rs1" | "rs2"): GuestRegister;
  /** Sign-extended. */
  signed(field: string): Quantity;
  unsigned(field: string): Quantity;
}

/** Where a block leaves to have a trap raised. */
export interface Trap {
  readonly label: Label;
  /** The address of the instruction that raises it. */
  readonly pc: Quantity;
  readonly name: string;
  readonly value: TrapValue<Quantity> | undefined;
}

export class Emitter {
  readonly code: Code;
  readonly registers: Registers;
  readonly operands: Operands;
  /** The address of the guest instruction, and of the next one. */
  readonly pc: Quantity;
  readonly next: Quantity;
  private readonly traps: Trap[];

  constructor(code: Code, registers: Registers, operands: Operands, pc: Quantity, next: Quantity, traps: Trap[]) {
    this.code = code;
    this.registers = registers;
    this.operands = operands;
    this.pc = pc;
    this.next = next;
    this.traps = traps;
  }

  get rd(): GuestRegister {
    return this.operands.register("rd");
  }
  get rs1(): GuestRegister {
    return this.operands.register("rs1");
  }
  get rs2(): GuestRegister {
    return this.operands.register("rs2");
  }

  /** Gives rd a value that `compute` leaves in the host register it is told; nothing if rd is x0. */
  result(compute: (destination: Register) => void): void {
    if (this.rd !== ZERO) compute(this.registers.write(this.rd));
  }

  /** A 32-bit result in eax becomes rd, sign-extended as all of RV64's are. */
  resultWord(): void {
    this.result((d) => this.code.emit("movsxd", register(d), register("rax", 32)));
  }

  resultFrom(source: Register): void {
    this.result((d) => this.move(d, source));
  }

  move(destination: Register, source: Register, width: Width = 64): void {
    if (destination !== source || width === 32)
      this.code.emit("mov", register(destination, width), register(source, width));
  }

  load(destination: Register, value: Quantity): void {
    load(this.code, destination, value);
  }

  /** An operation with an immediate: 32 bits of it, extended; through `scratch` where that does not do. */
  with(mnemonic: string, destination: Register, value: Quantity, width: 32 | 64, scratch: Register): void {
    if (width === 32 || fits32(value)) {
      this.code.emit(mnemonic, register(destination, width), immediate(value, width));
    } else {
      this.load(scratch, value);
      this.code.emit(mnemonic, register(destination), register(scratch));
    }
  }

  /** Guest address x[rs1] + offset, as an operand of one host instruction; guest addresses are host addresses. */
  address(offset: Quantity): Address {
    const known = this.registers.known(this.rs1);
    const whole = known === undefined ? undefined : sum(known, offset);
    if (whole !== undefined && fits32(whole)) return { displacement: whole };
    return { base: this.registers.read(this.rs1), displacement: offset };
  }

  /**
   * The host instruction that touches the guest's memory. It may fault, and nobody but the context then says what the guest's
   * registers are.
   */
  access(emit: () => void): void {
    this.code.faulting(this.pc, emit);
  }

  /** Everything the guest has written so far is in the context. */
  writeBack(): void {
    this.registers.writeBack();
  }

  /** Leaves the block; the guest goes on at `target`. */
  exit(target: Quantity, leaving: Partial<Omit<Leaving, "guest">> = {}): void {
    const from = this.code.length;
    const place = memory(CONTEXT.pc);
    if (fits32(target)) {
      this.code.emit("mov", place, immediate(target));
    } else {
      this.load("rax", target);
      this.code.emit("mov", place, register("rax"));
    }
    const { interrupt = false, trap, value } = leaving;
    this.code.leave({ guest: target, interrupt, trap, value }, from);
  }

  /** Leaves the block; the guest goes on where `target` says. */
  exitTo(target: Register): void {
    const from = this.code.length;
    this.code.emit("mov", memory(CONTEXT.pc), register(target));
    this.code.leave({ guest: undefined, interrupt: false, trap: undefined, value: undefined }, from);
  }

  /**
   * Where the block leaves for this instruction's trap to be raised, with a value that is in a host register by then; the code there comes at
   * the block's end.
   */
  trap(name: string, value: TrapValue<Quantity>): Label {
    const label = this.code.label(name);
    this.traps.push({ label, pc: this.pc, name, value });
    return label;
  }
}
