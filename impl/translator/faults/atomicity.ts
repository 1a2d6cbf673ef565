/** Atomic instructions and reservations. */
import { immediate, memory, register } from "../code.js";
import { CONTEXT } from "../context.js";
import { aligned, RESERVATION } from "../rules/atomic.js";
import type { Rule } from "../rules/rule.js";
import type { Faults } from "./fault.js";

/** rd gets what memory held before the operation, although it may be the operand. */
const resultFirst: Rule = (e) => {
  const operand = e.registers.read(e.rs2);
  const address = aligned(e, 64, "store_address_misaligned");
  const place = memory({ base: address, displacement: 0n });
  e.access(() => e.code.emit("mov", register("rax"), place));
  e.move("rcx", "rax");
  e.resultFrom("rax");
  e.code.emit("add", register("rcx"), register(operand));
  e.access(() => e.code.emit("mov", place, register("rcx")));
};

/** As it should be, but for where the reservation ends: at `gone`, or not at all where the store is carried out. */
function storeConditional(gone: "before the store" | "on failure"): Rule {
  return (e) => {
    const value = e.registers.read(e.rs2);
    const address = aligned(e, 64, "store_address_misaligned");
    const [fails, done] = [e.code.label("no reservation"), e.code.label("done")];
    const forget = (): void => e.code.emit("mov", memory(CONTEXT.reserved, 8), immediate(0n, 8));
    e.load("rcx", 1n);
    e.code.emit("cmp", memory(CONTEXT.reserved, 8), immediate(0n, 8));
    e.code.emit("je", fails);
    e.code.emit("mov", register("rax"), memory(CONTEXT.reservation));
    e.code.emit("xor", register("rax"), register(address));
    e.code.emit("cmp", register("rax"), immediate(RESERVATION));
    e.code.emit("jae", fails);
    if (gone === "before the store") forget();
    e.access(() => e.code.emit("mov", memory({ base: address, displacement: 0n }), register(value)));
    e.load("rcx", 0n);
    e.code.emit("jmp", done);
    e.code.place(fails);
    forget();
    e.code.place(done);
    e.resultFrom("rcx");
  };
}

/** The reservation is made before the load has come through. */
const reservedFirst: Rule = (e) => {
  const address = aligned(e, 64, "load_address_misaligned");
  e.code.emit("mov", memory(CONTEXT.reserved, 8), immediate(1n, 8));
  e.code.emit("mov", memory(CONTEXT.reservation), register(address));
  e.access(() => e.code.emit("mov", register("rax"), memory({ base: address, displacement: 0n })));
  e.resultFrom("rax");
};

/** What memory held is in the context before the store has come through. */
const resultBeforeStore: Rule = (e) => {
  const operand = e.registers.read(e.rs2);
  const address = aligned(e, 64, "store_address_misaligned");
  const place = memory({ base: address, displacement: 0n });
  e.access(() => e.code.emit("mov", register("rax"), place));
  e.move("rcx", "rax");
  e.code.emit("xor", register("rcx"), register(operand));
  e.resultFrom("rax");
  e.writeBack();
  e.access(() => e.code.emit("mov", place, register("rcx")));
};

/** A store that needs the page to be writable is not in the fault map: the load before it has tried the address. */
const storeUnmapped: Rule = (e) => {
  const operand = e.registers.read(e.rs2);
  const address = aligned(e, 64, "store_address_misaligned");
  const place = memory({ base: address, displacement: 0n });
  e.access(() => e.code.emit("mov", register("rax"), place));
  e.move("rcx", "rax");
  e.code.emit("or", register("rcx"), register(operand));
  e.code.emit("mov", place, register("rcx"));
  e.resultFrom("rax");
};

/** The registers go to the context when the address has been found aligned. */
const exitUnwritten: Rule = (e) => {
  const operand = e.registers.read(e.rs2);
  const address = e.registers.read(e.rs1);
  e.code.emit("test", register(address, 8), immediate(7n, 8));
  e.code.emit("jne", e.trap("store_address_misaligned", { kind: "register", register: address }));
  e.writeBack();
  const place = memory({ base: address, displacement: 0n });
  e.access(() => e.code.emit("mov", register("rax"), place));
  e.access(() => e.code.emit("mov", place, register(operand)));
  e.resultFrom("rax");
};

/** The trap's value is the program counter, which every instruction has at hand. */
const counterForAddress: Rule = (e) => {
  const address = e.registers.read(e.rs1);
  e.writeBack();
  e.code.emit("test", register(address, 8), immediate(3n, 8));
  e.code.emit("jne", e.trap("store_address_misaligned", { kind: "constant", value: e.pc }));
  const place = memory({ base: address, displacement: 0n }, 32);
  e.access(() => e.code.emit("mov", register("rax", 32), place));
  e.move("rcx", "rax");
  e.code.emit("add", register("rcx", 32), register(e.registers.read(e.rs2), 32));
  e.access(() => e.code.emit("mov", place, register("rcx", 32)));
  e.resultWord();
};

export const atomicity: Faults = {
  "atomic-result-is-operand": { rules: { "amoadd.d": resultFirst } },
  "reservation-kept": { rules: { "sc.d": storeConditional("on failure") } },
  "reservation-lost-before-store": { rules: { "sc.d": storeConditional("before the store") } },
  "reservation-before-load": { rules: { "lr.d": reservedFirst } },
  "atomic-result-before-store": { rules: { "amoxor.d": resultBeforeStore } },
  "atomic-store-unmapped": { rules: { "amoor.d": storeUnmapped } },
  "misaligned-tells-pc": { rules: { "amoadd.w": counterForAddress } },
  "misaligned-without-write-back": { rules: { "amoswap.d": exitUnwritten } },
};
