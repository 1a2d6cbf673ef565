/** System calls of Linux on x86-64 (System V ABI, AMD64 supplement, section A.2.1). */
import type { DecodedSimulator } from "../compile/decoded-simulator.js";
import { type Machine, variable } from "../machine.js";
import type { Convention, SystemCall } from "./linux.js";

/** arch/x86/entry/syscalls/syscall_64.tbl */
const CALLS: ReadonlyMap<number, SystemCall> = new Map([
  [0, "read"],
  [1, "write"],
  [9, "mmap"],
  [11, "munmap"],
  [12, "brk"],
  [16, "ioctl"],
  [60, "exit"],
  [231, "exit"],
]);
const ARCH_PRCTL = 158;

/** arch/x86/include/uapi/asm/prctl.h */
const [ARCH_SET_GS, ARCH_SET_FS] = [0x1001n, 0x1002n];
const [EINVAL, EPERM] = [22n, 1n];

/** The first address that no user process has: half of the 48 bits, less a page (arch/x86/include/asm/page_64_types.h). */
export const USER_END = (1n << 47n) - 4096n;

const ARGUMENTS = ["rdi", "rsi", "rdx", "r10", "r8", "r9"] as const;

/** The names that the machine has for what a process needs. */
const NEEDED = ["rax", "rcx", "r11", "rsp", ...ARGUMENTS, "fs_base", "gs_base"];

/** Whether the machine is one that programs for Linux on x86-64 run on. */
export function isX8664(machine: Machine): boolean {
  return NEEDED.every((name) => variable(machine, name) !== undefined) && machine.traps.some((t) => t.name === TRAP);
}

/** The trap of SYSCALL. */
export const TRAP = "system_call";

export function x8664Convention(simulator: DecodedSimulator): Convention {
  const argument = (index: number): bigint => simulator.scalar(ARGUMENTS[index] ?? "rdi");
  return {
    width: 64,
    calls: CALLS,
    number: () => Number(BigInt.asUintN(32, simulator.scalar("rax"))),
    argument,
    answer: (value) => simulator.write("rax", BigInt.asUintN(64, value)),
    serve: (number) => {
      if (number !== ARCH_PRCTL) return undefined;
      const base = argument(0) === ARCH_SET_FS ? "fs_base" : argument(0) === ARCH_SET_GS ? "gs_base" : undefined;
      if (base === undefined) return -EINVAL;
      if (argument(1) >= USER_END) return -EPERM;
      simulator.write(base, argument(1));
      return 0n;
    },
  };
}

/** The bits of RFLAGS that a user program has a say in, by name (Intel SDM, volume 1, figure 3-8). */
export const RFLAGS: readonly (readonly [string, number])[] = [
  ["CF", 0],
  ["PF", 2],
  ["AF", 4],
  ["ZF", 6],
  ["SF", 7],
  ["DF", 10],
  ["OF", 11],
  ["NT", 14],
  ["AC", 18],
  ["ID", 21],
];

/** SYSCALL and SYSRET (SDM volume 2): the system returns behind the instruction, and rcx and r11 tell where that is, and the flags. */
export function resume(simulator: DecodedSimulator, next: bigint): void {
  // Bit 1 is always set, and bit 9 (IF) in user mode.
  let flags = 0x202n;
  for (const [name, bit] of RFLAGS) {
    if (variable(simulator.machine, name) !== undefined) flags |= simulator.scalar(name) << BigInt(bit);
  }
  simulator.write("rcx", next);
  simulator.write("r11", flags);
  simulator.write("rip", next);
  simulator.write("trap", 0n);
  simulator.write("trap.value", 0n);
}
