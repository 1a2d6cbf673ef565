/** Names of the GDB remote protocol: signals and architectures. */

/**
 * Numbers of signals in the protocol, which are GDB's own whatever the system (include/gdb/signals.def of its sources). Those that a
 * processor's exceptions come as.
 */
export const SIGNALS: ReadonlyMap<string, number> = new Map([
  ["SIGHUP", 1],
  ["SIGINT", 2],
  ["SIGQUIT", 3],
  ["SIGILL", 4],
  ["SIGTRAP", 5],
  ["SIGABRT", 6],
  ["SIGEMT", 7],
  ["SIGFPE", 8],
  ["SIGKILL", 9],
  ["SIGBUS", 10],
  ["SIGSEGV", 11],
  ["SIGSYS", 12],
  ["SIGPIPE", 13],
  ["SIGALRM", 14],
  ["SIGTERM", 15],
]);

export interface Architecture {
  /** Registers in GDB's standard order: names, and widths in bits. */
  readonly registers: readonly { readonly name: string; readonly width: number }[];
  /** Where guest variables are that have other names, as in `eflags[0]`. */
  readonly places: ReadonlyMap<string, string>;
  /** Of the ELF file that is made for a stub: bits of an address, and `e_machine`. */
  readonly elf: { readonly width: 32 | 64; readonly machine: number };
  /**
   * An instruction that stores a zero byte at the address in `register`. Some stubs refuse to write where instructions have been
   * executed until the guest itself has written there.
   */
  readonly toucher: { readonly code: Uint8Array; readonly register: string };
}

function riscv(width: 32 | 64): Architecture {
  return {
    registers: [...Array.from({ length: 32 }, (_, i) => `x${i}`), "pc"].map((name) => ({ name, width })),
    places: new Map(),
    elf: { width, machine: 243 },
    // sb x0, 0(x10)
    toucher: { code: Uint8Array.of(0x23, 0x00, 0x05, 0x00), register: "x10" },
  };
}

const X86_64: Architecture = {
  registers: [
    ..."rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip"
      .split(" ")
      .map((name) => ({ name, width: 64 })),
    ..."eflags cs ss ds es fs gs".split(" ").map((name) => ({ name, width: 32 })),
  ],
  places: new Map([
    ["CF", "eflags[0]"],
    ["PF", "eflags[2]"],
    ["AF", "eflags[4]"],
    ["ZF", "eflags[6]"],
    ["SF", "eflags[7]"],
    ["DF", "eflags[10]"],
    ["OF", "eflags[11]"],
    ["NT", "eflags[14]"],
    ["AC", "eflags[18]"],
    ["ID", "eflags[21]"],
  ]),
  elf: { width: 64, machine: 62 },
  // mov byte ptr [rdi], 0
  toucher: { code: Uint8Array.of(0xc6, 0x07, 0x00), register: "rdi" },
};

export const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map([
  ["riscv32", riscv(32)],
  ["riscv64", riscv(64)],
  ["x86-64", X86_64],
]);
