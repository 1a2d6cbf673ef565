/** Programs about traps: exceptions, returns, interrupts, the timer. */
import { hex, Random } from "./random.js";
import { program, type Source, type Xlen } from "./source.js";

/** Every exception that an instruction can raise, in every mode, delegated and not. */
export function exceptionProgram(xlen: Xlen): Source {
  const lines: string[] = ["  page_tables", "  open_pmp", "  leaf level0, page0, V|R|W|X|U|A|D"];
  const probes: string[] = [];
  const raising: readonly (readonly string[])[] = [
    ["ecall"],
    ["ebreak"],
    [".word 0"],
    [".word 0xffffffff"],
    [".word 0x30200073"],
    [".word 0x10200073"],
    [".word 0x7b200073"],
    ["li a0, 0x664", "lw a0, 0(a0)"],
    ["li a0, 0x30000", "lw a0, 0(a0)"],
    ["li a0, 0x30000", "sw a0, 0(a0)"],
    ["li a0, 0x30000", "jr a0"],
    ["li a0, 0x10000000", "lb a1, 5(a0)"],
    ["la a0, page0", "lw a1, 2(a0)"],
    ["la a0, page0", "addi a0, a0, 2", "jr a0"],
    ["la a0, page0", "jalr a1, 3(a0)"],
    ["li a0, 0x90000000", "lw a1, 0(a0)"],
    ["li a0, 0x90000000", "sw a1, 4(a0)"],
    ["li a0, 0x90000000", "jr a0"],
    ["wfi_or_not: nop", "sfence.vma"],
    ["sret"],
    ["mret"],
    ["csrr a0, mscratch"],
    ["csrr a0, sscratch"],
    ["csrw 0xf14, a0"],
    ["csrr a0, satp"],
  ];
  let n = 0;
  // Never environment calls of S, which end the supervisor's handler
  for (const delegated of ["0", "0xb1ff", "0x5555", "0xa8aa"]) {
    for (const mode of [0, 1, 3]) {
      for (const code of raising) {
        const body = code.map((line) => line.replace("wfi_or_not: ", ""));
        if (
          mode === 3 &&
          (body[0] === "sret" || body[0] === "mret" || body[0] === ".word 0x30200073" || body[0] === ".word 0x10200073")
        )
          continue;
        const status = ["0", "1 << 20", "1 << 22", "1 << 18"][n % 4] ?? "0";
        lines.push(
          `  li t0, ${delegated}`,
          "  csrw medeleg, t0",
          `  li t0, ${status}`,
          "  csrw mstatus, t0",
          `  csrwi stvec, 0`,
          "  la t0, supervisor_handler",
          "  csrw stvec, t0",
          "  la t0, raise_0",
          "  csrw sepc, t0",
          `  run_in ${mode}, raise_${n}, ${mode === 0 ? "USER_OFFSET" : "0"}`,
        );
        probes.push(".balign 4", `raise_${n}:`, ...body.map((l) => `  ${l}`), "  ecall");
        n++;
      }
    }
  }
  return program("exceptions", lines, [...probes, `.if ${xlen} == 0`, ".endif"]);
}

/** mret and sret from and to every mode, with every mstatus. */
export function returnProgram(xlen: Xlen): Source {
  const random = new Random(`returns ${xlen}`);
  const lines: string[] = ["  page_tables", "  open_pmp"];
  const probes: string[] = [];
  for (let i = 0; i < 120; i++) {
    // MIE and SIE may be set: nothing is enabled in mie
    const mode = random.pick([0, 1, 1, 3, 3, 3]);
    const instruction = random.pick(["mret", "sret"]);
    const status = random.bits() & 0x7e19aan & ~(3n << 11n);
    const target = random.pick([0, 1, 3]);
    lines.push(
      `  li t0, ${hex(status)}`,
      "  csrw mstatus, t0",
      // What the instruction itself returns to
      `  la t0, returned_${i}`,
      `  li t1, ${random.below(2) === 0 ? "USER_OFFSET" : "0"}`,
      "  add t0, t0, t1",
      "  csrw sepc, t0",
      `  li a0, ${hex(status | (BigInt(target) << 11n))}`,
      `  run_in ${mode}, return_${i}, ${mode === 0 ? "USER_OFFSET" : "0"}`,
    );
    probes.push(
      `return_${i}:`,
      ...(mode === 3 ? ["  csrw mstatus, a0", `  la t0, returned_${i}`, "  csrw mepc, t0"] : []),
      `  ${instruction}`,
      "  ecall",
      `returned_${i}:`,
      "  nop",
      "  ecall",
    );
  }
  return program("returns", lines, probes);
}

/** Software, timer and, by the bits of mip, supervisor interrupts: pending in every mode, enabled, delegated, vectored. */
export function interruptProgram(xlen: Xlen, part: number): Source {
  const random = new Random(`interrupts ${xlen} ${part}`);
  const lines: string[] = [
    "  page_tables",
    "  open_pmp",
    "  li s2, 0x2000000",
    "  li s3, 0x2004000",
    "  li t0, -1",
    "  sw t0, 4(s3)",
    "  sw t0, 0(s3)",
  ];
  const probes: string[] = [];
  for (let i = 0; i < 100; i++) {
    const mode = random.pick([0, 1, 3]);
    const vectored = random.below(2);
    lines.push(
      `  la t0, vectors_machine + ${vectored}`,
      "  csrw mtvec, t0",
      `  la t0, vectors_supervisor + ${random.below(2)}`,
      "  csrw stvec, t0",
      // QEMU takes the lowest number first, the manual has an order of its own (findings.yaml): those that agree are enabled.
      `  li t0, ${hex(random.bits() & random.pick([0x288n, 0x22n]))}`,
      "  csrw mie, t0",
      `  li t0, ${hex(random.bits() & 0xfffn)}`,
      "  csrw mideleg, t0",
      `  li t0, ${hex(random.bits() & 0x222n)}`,
      "  csrw mip, t0",
      `  li t0, ${random.below(2)}`,
      "  sw t0, 0(s2)",
      `  li t0, ${random.below(2) === 0 ? 0 : -1}`,
      "  sw t0, 0(s3)",
      "  sw t0, 4(s3)",
      // SIE and MPIE: what the mode has once it is there
      `  li t0, ${hex(BigInt(random.pick([0, 2, 0x80, 0x82])))}`,
      "  csrs mstatus, t0",
      `  run_in ${mode}, loop_${i}, ${mode === 0 ? "USER_OFFSET" : "0"}`,
      "  csrw mie, zero",
      "  csrw mip, zero",
      "  sw zero, 0(s2)",
    );
    // Interrupts can also come to be enabled by what the mode does itself.
    const last =
      mode === 3
        ? random.pick(["csrsi mstatus, 8", "csrw mip, a0", "sw a0, 0(s2)"])
        : mode === 1
          ? random.pick(["csrsi sstatus, 2", "csrsi sip, 2", "csrsi sie, 2"])
          : "nop";
    probes.push(`loop_${i}:`, "  li a0, 1", "  nop", `  ${last}`, "  nop", "  nop", "  ecall");
  }
  probes.push(
    ".balign 256",
    "vectors_machine:",
    ...Array.from({ length: 16 }, () => "  j machine_handler"),
    ".balign 256",
    "vectors_supervisor:",
    ...Array.from({ length: 16 }, () => "  j supervisor_handler"),
  );
  return program(`interrupts-${part}`, lines, probes);
}

/** A timer that goes off while the program runs, and while it waits. */
export function timerProgram(xlen: Xlen): Source {
  const lines: string[] = ["  page_tables", "  open_pmp", "  li s3, 0x2004000", "  li s2, 0x200bff8"];
  const probes: string[] = [];
  // mtime is set, never read: it is the emulator's to say how it goes on.
  const later = (ticks: number): readonly string[] =>
    xlen === 64
      ? [`  li t0, ${ticks}`, "  sd zero, 0(s2)", "  sd t0, 0(s3)"]
      : [
          "  sw zero, 0(s2)",
          "  sw zero, 4(s2)",
          "  li t0, -1",
          "  sw t0, 0(s3)",
          "  sw zero, 4(s3)",
          `  li t0, ${ticks}`,
          "  sw t0, 0(s3)",
        ];
  for (const [i, mode] of [3, 1, 0, 3, 1, 0].entries()) {
    lines.push(
      "  csrw mie, zero",
      ...later(20),
      "  li t0, 0x80",
      "  csrw mie, t0",
      "  li t0, 0x80",
      "  csrs mstatus, t0",
      "  csrw mideleg, zero",
      `  run_in ${mode}, spin_${i}, ${mode === 0 ? "USER_OFFSET" : "0"}`,
      // Waiting: for what is enabled in mie, whatever MIE says
      "  csrci mstatus, 8",
      ...later(20),
      "  wfi",
      "  nop",
    );
    probes.push(`spin_${i}:`, mode === 1 && i > 2 ? "  wfi" : "  addi a5, a5, 1", `  j spin_${i}`);
  }
  // TW, and wfi in user mode
  lines.push(
    "  csrw mie, zero",
    "  li t0, 1 << 21",
    "  csrw mstatus, t0",
    "  run_in 1, waiting",
    "  run_in 0, waiting, USER_OFFSET",
    "  li t0, 0",
    "  csrw mstatus, t0",
    "  run_in 0, waiting, USER_OFFSET",
  );
  probes.push("waiting:", "  wfi", "  ecall");
  return program("timer", lines, probes);
}
