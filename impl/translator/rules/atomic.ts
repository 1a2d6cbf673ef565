/** The A extension, for one hart: The RISC-V Instruction Set Manual, Volume I, version 20240411, chapter 14. */
import { immediate, memory, type Register, register } from "../code.js";
import { CONTEXT } from "../context.js";
import type { Emitter } from "../emitter.js";
import type { Rule, Rules } from "./rule.js";

/** Bytes of the naturally aligned block that a reservation is for: the guest's parameter RESERVATION. */
export const RESERVATION = 64n;

/** The address in rs1, which has to be aligned to `width` and is the trap's value; everything is in the context from here on. */
export function aligned(e: Emitter, width: 32 | 64, trap: string): Register {
  const address = e.registers.read(e.rs1);
  e.writeBack();
  e.code.emit("test", register(address, 8), immediate(BigInt(width / 8 - 1), 8));
  e.code.emit("jne", e.trap(trap, { kind: "register", register: address }));
  return address;
}

function loadReserved(width: 32 | 64): Rule {
  return (e) => {
    const address = aligned(e, width, "load_address_misaligned");
    const source = memory({ base: address, displacement: 0n }, width);
    e.access(() => e.code.emit(width === 32 ? "movsxd" : "mov", register("rax"), source));
    e.code.emit("mov", memory(CONTEXT.reserved, 8), immediate(1n, 8));
    e.code.emit("mov", memory(CONTEXT.reservation), register(address));
    e.resultFrom("rax");
  };
}

/** Whether it succeeds or not, the reservation is gone; but not before the store may have faulted. */
function storeConditional(width: 32 | 64): Rule {
  return (e) => {
    const value = e.registers.read(e.rs2);
    const address = aligned(e, width, "store_address_misaligned");
    const fails = e.code.label("no reservation");
    e.load("rcx", 1n);
    e.code.emit("cmp", memory(CONTEXT.reserved, 8), immediate(0n, 8));
    e.code.emit("je", fails);
    e.code.emit("mov", register("rax"), memory(CONTEXT.reservation));
    e.code.emit("xor", register("rax"), register(address));
    e.code.emit("cmp", register("rax"), immediate(RESERVATION));
    e.code.emit("jae", fails);
    const place = memory({ base: address, displacement: 0n }, width);
    e.access(() => e.code.emit("mov", place, register(value, width)));
    e.load("rcx", 0n);
    e.code.place(fails);
    e.code.emit("mov", memory(CONTEXT.reserved, 8), immediate(0n, 8));
    e.resultFrom("rcx");
  };
}

/**
 * A read, which has to fault as the guest's does where the host's locked instructions would only ask to write, and a write: there is one hart.
 * rd gets what memory held;  memory what `change` makes of it in rcx, from the host register of rs2.
 */
function modify(width: 32 | 64, change: (e: Emitter, operand: Register) => void): Rule {
  return (e) => {
    const operand = e.registers.read(e.rs2);
    const address = aligned(e, width, "store_address_misaligned");
    const place = memory({ base: address, displacement: 0n }, width);
    e.access(() => e.code.emit("mov", register("rax", width), place));
    e.move("rcx", "rax");
    change(e, operand);
    e.access(() => e.code.emit("mov", place, register("rcx", width)));
    if (width === 32) e.resultWord();
    else e.resultFrom("rax");
  };
}

function simple(mnemonic: string, width: 32 | 64): Rule {
  return modify(width, (e, operand) => e.code.emit(mnemonic, register("rcx", width), register(operand, width)));
}

/** The operand instead, if the value in memory `condition` it. */
function chosen(condition: string, width: 32 | 64): Rule {
  return modify(width, (e, operand) => {
    e.code.emit("cmp", register("rcx", width), register(operand, width));
    e.code.emit(condition, register("rcx", width), register(operand, width));
  });
}

function both(suffix: "w" | "d", width: 32 | 64): Rules {
  return {
    [`lr.${suffix}`]: loadReserved(width),
    [`sc.${suffix}`]: storeConditional(width),
    [`amoswap.${suffix}`]: simple("mov", width),
    [`amoadd.${suffix}`]: simple("add", width),
    [`amoxor.${suffix}`]: simple("xor", width),
    [`amoand.${suffix}`]: simple("and", width),
    [`amoor.${suffix}`]: simple("or", width),
    [`amomin.${suffix}`]: chosen("cmovge", width),
    [`amomax.${suffix}`]: chosen("cmovl", width),
    [`amominu.${suffix}`]: chosen("cmovae", width),
    [`amomaxu.${suffix}`]: chosen("cmovb", width),
  };
}

export const atomic: Rules = { ...both("w", 32), ...both("d", 64) };
