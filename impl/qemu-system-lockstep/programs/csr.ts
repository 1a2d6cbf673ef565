/** Programs about control and status registers: what they hold after each operation, which there are, and who may read the counters. */
import { hex, Random } from "./random.js";
import { program, type Source, type Xlen } from "./source.js";

/** Registers that can be written with anything in machine mode, the program going on all the same. */
export const WRITABLE: Readonly<Record<string, number>> = {
  sstatus: 0x100,
  sie: 0x104,
  stvec: 0x105,
  scounteren: 0x106,
  senvcfg: 0x10a,
  sscratch: 0x140,
  sepc: 0x141,
  scause: 0x142,
  stval: 0x143,
  sip: 0x144,
  satp: 0x180,
  mstatus: 0x300,
  misa: 0x301,
  medeleg: 0x302,
  mideleg: 0x303,
  mie: 0x304,
  mtvec: 0x305,
  mcounteren: 0x306,
  menvcfg: 0x30a,
  mcountinhibit: 0x320,
  mscratch: 0x340,
  mepc: 0x341,
  mcause: 0x342,
  mtval: 0x343,
  mip: 0x344,
  pmpaddr0: 0x3b0,
  pmpaddr7: 0x3b7,
  pmpaddr15: 0x3bf,
  mhartid: 0xf14,
  mvendorid: 0xf11,
  mconfigptr: 0xf15,
};

/**
 * Bits that QEMU keeps and should not, or may and the definition does not: findings.yaml. They are left alone.
 */
const LEFT_ALONE: Readonly<Record<string, bigint>> = {
  // VS, SXL and UXL, GVA and MPV; MIE, with which interrupts would come
  mstatus: 0xcf_0000_0608n,
  sstatus: 0xf_0000_0600n,
  mcounteren: 0xffff_ffff_0000_0000n,
  scounteren: 0xffff_ffff_0000_0000n,
  mcountinhibit: 0xffff_ffff_0000_0002n,
  menvcfg: 0xc000_0000_0000_00f0n,
  senvcfg: 0xf0n,
  mepc: 1n,
  sepc: 1n,
  mip: 0x2444n,
  pmpaddr0: 0xffc0_0000_0000_0000n,
  pmpaddr7: 0xffc0_0000_0000_0000n,
  pmpaddr15: 0xffc0_0000_0000_0000n,
};

/** A value to write: MPP is a mode that there is, MODE of satp neither Sv48 nor Sv57. */
function valueFor(name: string, random: Random, xlen: Xlen): bigint {
  let value = random.word(xlen) & ~(LEFT_ALONE[name] ?? 0n);
  if (name === "mstatus" && ((value >> 11n) & 3n) === 2n) value |= 3n << 11n;
  const mode = value >> 60n;
  if (name === "satp" && xlen === 64 && (mode === 9n || mode === 10n)) value ^= 1n << 61n;
  return value;
}

const OPERATIONS = ["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"] as const;

/** One register: every instruction on it, random values and corners, read back; in S and U as well. */
export function csrProgram(name: string, csr: number, xlen: Xlen): Source {
  const random = new Random(`csr ${name} ${xlen}`);
  const lines: string[] = ["  page_tables", "  open_pmp"];
  const probes: string[] = [];
  const access = (operation: string): string =>
    operation.endsWith("i")
      ? `${operation} a1, ${csr}, ${random.below(32)}`
      : `${operation} a1, ${csr}, ${random.below(6) === 0 ? "x0" : "a0"}`;
  const readOnly = csr >> 10 === 3;
  const isVector = name === "mtvec" || name === "stvec";
  for (let i = 0; i < 30; i++) {
    const drawn = valueFor(name, random, xlen);
    // MODE: Direct, Vectored, and what is reserved, in turn
    const value = isVector ? (drawn & ~3n) | BigInt(i % 4) : drawn;
    lines.push(`  li a0, ${hex(value === 0n && readOnly ? 1n : value)}`);
    // What is set or cleared may leave what is to be left alone, but not MPP.
    const whole = name === "mstatus" || name === "satp";
    const operation =
      isVector && i < 12 ? `csrrw a1, ${csr}, a0` : access(whole ? "csrrw" : random.pick(OPERATIONS.slice(0, 3)));
    lines.push(`  attempt ${operation}`);
    if (name === "mtvec") lines.push("  csrr a2, mtvec", "  la t0, machine_handler", "  csrw mtvec, t0");
    lines.push(`  attempt csrr a2, ${csr}`);
  }
  const small = ["mstatus", "mtvec", "mip", "menvcfg", "senvcfg", "mepc", "sepc", "satp", "mcountinhibit"].includes(
    name,
  );
  for (const operation of small ? [] : OPERATIONS)
    lines.push(`  attempt ${access(operation)}`, `  attempt csrr a2, ${csr}`);
  lines.push(
    "  la t0, machine_handler",
    "  csrw mtvec, t0",
    ...["mie", "medeleg", "mideleg", "mip", "mstatus"].map((r) => `  csrw ${r}, zero`),
    "  page_tables",
    "  la t0, supervisor_handler",
    "  csrw stvec, t0",
    "  open_pmp",
  );
  for (const mode of [0, 1]) {
    for (const operation of OPERATIONS) {
      const label = `probe_${mode}_${operation}`;
      if (name === "satp" || name === "stvec" || (name === "sstatus" && mode === 1)) continue;
      if (small && operation.endsWith("i")) continue;
      const value = valueFor(name, random, xlen);
      lines.push(
        `  li a0, ${hex(value === 0n && readOnly ? 1n : value)}`,
        "  csrw sie, zero",
        `  run_in ${mode}, ${label}, ${mode === 0 ? "USER_OFFSET" : "0"}`,
      );
      probes.push(`${label}:`, `  ${access(operation)}`, `  csrr a2, ${csr}`, "  ecall");
    }
  }
  return program(`csr-${name}`, lines, probes);
}

/** Numbers of registers that are left out: the debug mode's (0x7a0 to 0x7bf), which the definition does not have. */
function isDebug(csr: number): boolean {
  return csr >= 0x7a0 && csr <= 0x7bf;
}

/** Counters, which run differently. */
function isCounter(csr: number): boolean {
  return [0xb00, 0xb02, 0xb80, 0xb82, 0xc00, 0xc01, 0xc02, 0xc80, 0xc81, 0xc82].includes(csr);
}

/** Which numbers are there, seen from a mode: each is read into x0. */
export function existenceProgram(mode: 0 | 1 | 3, from: number, xlen: Xlen): Source {
  const random = new Random(`existence ${mode} ${from} ${xlen}`);
  const lines: string[] = ["  page_tables", "  open_pmp", "  li t0, 0xffffffff", "  csrw mcounteren, t0"];
  const probes: string[] = [];
  for (let csr = from; csr < from + 1024; csr++) {
    if (isDebug(csr)) continue;
    const read = isCounter(csr) ? `csrr x0, ${csr}` : `csrr a0, ${csr}`;
    if (mode === 3) {
      lines.push(`  attempt ${read}`);
      continue;
    }
    // From below only what is there, and some others
    const known = isCounter(csr) || Object.values(WRITABLE).includes(csr);
    const allowed = ((csr >> 8) & 3) <= mode;
    if (!known && random.below(allowed ? 6 : 30) > 0) continue;
    lines.push(`  run_in ${mode}, at_${csr}, ${mode === 0 ? "USER_OFFSET" : "0"}`);
    probes.push(`at_${csr}:`, `  ${read}`, "  ecall");
  }
  return program(`csr-numbers-${"us-m".charAt(mode)}-${hex(BigInt(from))}`, lines, probes);
}

/** mcounteren and scounteren let the counters be seen below. */
export function counterProgram(xlen: Xlen): Source {
  const random = new Random(`counters ${xlen}`);
  const lines: string[] = ["  page_tables", "  open_pmp", "  li t0, 5", "  csrw mcountinhibit, t0"];
  const probes: string[] = [];
  for (let i = 0; i < 40; i++) {
    const csr = random.pick([0xc00, 0xc02]) + random.pick([0, 0, xlen === 32 ? 0x80 : 0]);
    const mode = random.below(2);
    lines.push(
      `  li t0, ${random.below(8)}`,
      "  csrw mcounteren, t0",
      `  li t0, ${random.below(8)}`,
      "  csrw scounteren, t0",
      `  li t0, ${hex(random.word(xlen))}`,
      `  csrw ${csr - 0x100}, t0`,
      `  csrr a0, ${csr - 0x100}`,
      `  run_in ${mode}, counter_${i}, ${mode === 0 ? "USER_OFFSET" : "0"}`,
    );
    probes.push(`counter_${i}:`, `  csrr a1, ${csr}`, `  csrw ${csr}, a1`, "  ecall");
  }
  return program("counters", lines, probes);
}
