/**
 * The programs of the lockstep: bare-metal assembly, generated from a seed so that every run has the same. Whoever watches sees
 * the state after each instruction; a program only has to make things happen. What can trap stands in `attempt` or
 * `run_in`, after which the program goes on in machine mode whatever happened (guest/harness.h).
 */
export interface Source {
  readonly name: string;
  readonly text: string;
}

export type Xlen = 32 | 64;

/** splitmix64: small, and the same everywhere. */
class Random {
  private state: bigint;

  constructor(seed: string) {
    this.state = 0n;
    for (const c of seed) this.state = BigInt.asUintN(64, this.state * 131n + BigInt(c.codePointAt(0) ?? 0));
  }

  bits(): bigint {
    this.state = BigInt.asUintN(64, this.state + 0x9e3779b97f4a7c15n);
    let z = this.state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }

  below(n: number): number {
    return Number(this.bits() % BigInt(n));
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError("nothing to pick from");
    return found;
  }

  /** Corners as often as not. */
  word(xlen: Xlen): bigint {
    const corners = [0n, ~0n, 1n, 1n << BigInt(xlen - 1), 0x5555555555555555n, 0xaaaaaaaaaaaaaaaan];
    return BigInt.asUintN(xlen, this.below(2) === 0 ? this.pick(corners) : this.bits());
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Registers that can be written with anything in machine mode, the program going on all the same. */
const WRITABLE: Readonly<Record<string, number>> = {
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
function csrProgram(name: string, csr: number, xlen: Xlen): Source {
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

function program(name: string, lines: readonly string[], probes: readonly string[] = []): Source {
  const text = [
    '#include "harness.h"',
    '#include "tables.h"',
    ".section .text",
    "main:",
    ...lines.filter((l) => l !== ""),
    "  la t0, finish",
    "  jr t0",
    ...probes,
    "",
  ].join("\n");
  return { name, text };
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
function existenceProgram(mode: 0 | 1 | 3, from: number, xlen: Xlen): Source {
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
function counterProgram(xlen: Xlen): Source {
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

/** Every exception that an instruction can raise, in every mode, delegated and not. */
function exceptionProgram(xlen: Xlen): Source {
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
function returnProgram(xlen: Xlen): Source {
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

/** Where they fault, AMOs and SCs are told by QEMU as loads, or not at all (findings.yaml): `atomicsProgram`. */
const PMP_ACCESSES = [...["lw", "sw", "lb", "sb", "lh", "sh"].map((name) => `${name} a0, 0(a1)`), "lr.w a2, (a1)"];

/** The flags of an entry that matter here, at random */
function flags(random: Random): string {
  const names = ["V", "R", "W", "X", "U", "A", "D", "G"] as const;
  // V, A and D are mostly set, so that the others count.
  const set = names.filter((f) => random.below(8) < ({ V: 7, R: 6, W: 5, X: 5, U: 4, A: 6, D: 6, G: 2 } as const)[f]);
  return set.length === 0 ? "0" : set.join("|");
}

/** Accesses of every kind from every mode through random entries at every level. */
function pagingProgram(xlen: Xlen, part: number): Source {
  const random = new Random(`paging ${xlen} ${part}`);
  const lines: string[] = ["  page_tables", "  open_pmp"];
  const probes: string[] = [];
  const plain = xlen === 64 ? ["lw", "sw", "ld", "sd", "lb", "sb"] : ["lw", "sw", "lh", "sh", "lb", "sb"];
  const accesses = [...plain.map((name) => `${name} a0, 0(a1)`), "lr.w a2, (a1)"];
  for (let i = 0; i < 110; i++) {
    const where = random.pick(xlen === 64 ? ["page", "page", "super", "giga"] : ["page", "page", "super"]);
    const [slot, base, page] =
      where === "page"
        ? ["level0", "0", "page0"]
        : where === "super"
          ? ["SUPER_SLOT", "SUPER", random.pick(["root", "page0", "level0"])]
          : ["GIGA_SLOT", "GIGA", random.pick(["root", "page0", "level1"])];
    const offset = random.pick([0, 8, 0x7fc, 0xff8, 0xffc, 0xffd, 0xffe, 0xfff]);
    // A pointer that is none, a reserved bit, or a superpage in its place
    const high = xlen === 64 && random.below(8) === 0 ? ` | (1 << ${54 + random.below(10)})` : "";
    // Of two pages QEMU marks the first, though the access may fault in the second (findings.yaml).
    const both = offset > 0xff8 ? "|A|D" : "";
    lines.push(`  leaf ${slot}, ${page}, ${flags(random)}${both}${high}`);
    if (where !== "page" && random.below(2) === 0)
      lines.push(
        "  li t0, 0x20000000",
        `  ori t0, t0, ${flags(random)}`,
        `  la t1, ${slot}`,
        "  PTE_S t0, 0(t1)",
        "  sfence.vma",
      );
    if (where === "page" && random.below(2) === 0) lines.push(`  leaf level0 + PTE_SIZE, page1, ${flags(random)}`);
    const status = ["0", "1 << 18", "1 << 19", "3 << 18"][random.below(4)] ?? "0";
    const medeleg = random.pick(["0", "0xb109"]);
    lines.push(`  li t0, ${medeleg}`, "  csrw medeleg, t0", `  li t0, ${status}`, "  csrw mstatus, t0");
    const wild = random.below(12) === 0 ? random.word(xlen) : undefined;
    const address = wild === undefined ? `${base} + ${offset}` : hex(wild);
    const mode = random.below(2);
    const access = random.pick(accesses);
    // A superpage in its place is the whole program's memory: page0 is where stores do no harm, and fetches find something.
    if (where !== "page" && wild === undefined)
      lines.push(
        "  la a1, page0",
        "  li t0, 0x80000000",
        "  sub a1, a1, t0",
        `  li t0, ${base} + ${offset}`,
        "  add a1, a1, t0",
      );
    else lines.push(`  li a1, ${address}`);
    lines.push(access.startsWith("lr") ? "  andi a1, a1, -4" : "", `  li a0, ${hex(random.word(xlen))}`);
    const kind = random.below(4);
    if (kind === 0) {
      // MPRV: machine mode with another's eyes
      lines.push(
        `  li t0, (1 << 17) | (${mode} << 11)`,
        "  csrs mstatus, t0",
        `  attempt ${access}`,
        "  li t0, (1 << 17)",
        "  csrc mstatus, t0",
      );
    } else if (kind === 1) {
      // An environment call, wherever it is
      const place = `page0 + ${offset & ~3}`;
      lines.push("  li t1, 0x73", "  la t0, page0", "  sw t1, 0(t0)", `  la t0, ${place}`, "  sw t1, 0(t0)");
      lines.push(
        "  li t0, ~3",
        "  and a1, a1, t0",
        `  run_in ${mode}, fetch_${i}, ${mode === 0 ? "USER_OFFSET" : "0"}`,
      );
      probes.push(`fetch_${i}:`, "  jr a1");
    } else {
      lines.push(`  run_in ${mode}, access_${i}, ${mode === 0 ? "USER_OFFSET" : "0"}`);
      probes.push(`access_${i}:`, `  ${access}`, "  ecall");
    }
    // What has become of the entries
    lines.push(`  la t0, ${slot}`, "  PTE_L a2, 0(t0)", "  la t0, level0 + PTE_SIZE", "  PTE_L a3, 0(t0)");
  }
  return program(`paging-${part}`, lines, probes);
}

/** Entries of every kind over a few pages, locked ones last. */
function pmpProgram(xlen: Xlen, part: number): Source {
  const random = new Random(`pmp ${xlen} ${part}`);
  const lines: string[] = [part % 2 === 0 ? "  page_tables" : "", "  open_pmp", "  li t0, 1"];
  // QEMU takes a TOR entry below 0 for one that has no end (findings.yaml).
  for (let entry = 0; entry < 8; entry++) lines.push(`  csrw pmpaddr${entry}, t0`);
  const probes: string[] = [];
  const perRegister = xlen / 8;
  const registers = xlen === 64 ? ["pmpcfg0"] : ["pmpcfg0", "pmpcfg1"];
  for (let i = 0; i < 90; i++) {
    for (let entry = 0; entry < 8; entry++) {
      if (random.below(3) > 0) continue;
      const span = random.pick([0, 1, 3, 7, 0xf, 0x1ff, 0x3ff, 0x7ff]);
      lines.push(
        `  la t0, page0 + ${4 * random.below(2048)}`,
        "  srli t0, t0, 2",
        `  li t1, ${span}`,
        "  not t2, t1",
        "  and t0, t0, t2",
        "  srli t1, t1, 1",
        "  or t0, t0, t1",
        `  csrw pmpaddr${entry}, t0`,
        `  csrr a2, pmpaddr${entry}`,
      );
    }
    for (const register of registers) {
      let value = 0n;
      for (let k = 0; k < perRegister; k++) {
        const mode = random.below(4);
        // A locked TOR entry could take the program's own memory from it.
        const locked = i > 80 && mode !== 1 && random.below(6) === 0 ? 0x80 : 0;
        // W without R is reserved
        const permissions = random.pick([0, 1, 3, 4, 5, 7]);
        value |= BigInt((mode << 3) | permissions | locked) << BigInt(8 * k);
      }
      lines.push(`  li t0, ${hex(value)}`, `  csrw ${register}, t0`, `  csrr a2, ${register}`);
    }
    lines.push("  sfence.vma");
    const mode = random.pick([0, 1, 3]);
    const [address, access] = [`page0 + ${random.below(8184)}`, random.pick(PMP_ACCESSES)];
    lines.push(`  la a1, ${address}`, `  li a0, ${hex(random.word(xlen))}`);
    if (mode === 0) lines.push("  li t0, USER_OFFSET", part % 2 === 0 ? "  add a1, a1, t0" : "");
    const up = mode === 0 && part % 2 === 0 ? "USER_OFFSET" : "0";
    if (random.below(3) > 0) {
      const aligned = random.below(3) > 0;
      if (aligned || access.startsWith("lr"))
        lines.push(`  andi a1, a1, ${access.includes("w") ? -4 : access.includes("h") ? -2 : -1}`);
      lines.push(`  run_in ${mode}, access_${i}, ${up}`);
      probes.push(`access_${i}:`, `  ${access}`, "  ecall");
    } else {
      lines.push(
        "  andi a1, a1, -4",
        `  la t0, ${address}`,
        "  andi t0, t0, -4",
        "  li t1, 0x73",
        "  attempt sw t1, 0(t0)",
      );
      lines.push(`  run_in ${mode}, fetch_${i}, ${up}`);
      probes.push(`fetch_${i}:`, "  jr a1");
    }
    if (i % 4 === 3) lines.push("  csrw pmpcfg0, zero", xlen === 32 ? "  csrw pmpcfg1, zero" : "");
  }
  return program(`pmp-${part}`, lines, probes);
}

/** The first and last words of one entry of every kind, and those beside them; entries beyond it allow everything. */
function pmpBoundsProgram(xlen: Xlen): Source {
  const random = new Random(`pmp bounds ${xlen}`);
  const lines: string[] = ["  open_pmp", "  li t0, 1"];
  for (let entry = 0; entry < 15; entry++) lines.push(`  csrw pmpaddr${entry}, t0`);
  const probes: string[] = [];
  const perRegister = xlen / 8;
  for (let i = 0; i < 72; i++) {
    const kind = random.pick(["TOR", "TOR", "NA4", "NAPOT"]);
    const entry = 1 + random.below(14);
    // Words from page0, first and behind the last
    const size = kind === "NA4" ? 1 : kind === "TOR" ? 1 + random.below(40) : 1 << (1 + random.below(7));
    const first = kind === "TOR" ? 8 + random.below(900) : size * (1 + random.below(Math.floor(900 / size)));
    const end = first + size;
    const address = (place: number): readonly string[] => [`  la t0, page0 + ${4 * place}`, "  srli t0, t0, 2"];
    if (kind === "TOR")
      lines.push(...address(first), `  csrw pmpaddr${entry - 1}, t0`, ...address(end), `  csrw pmpaddr${entry}, t0`);
    else
      lines.push(
        ...address(first),
        `  ori t0, t0, ${kind === "NAPOT" ? size / 2 - 1 : 0}`,
        `  csrw pmpaddr${entry}, t0`,
      );
    const register = xlen === 64 ? 2 * Math.floor(entry / 8) : Math.floor(entry / 4);
    const shift = 8 * (entry % perRegister);
    const configuration = ({ TOR: 1, NA4: 2, NAPOT: 3 }[kind] ?? 0) << 3;
    const permissions = random.pick([0, 1, 4]);
    lines.push(
      `  li t0, ${hex(0xffn << BigInt(shift))}`,
      `  csrc pmpcfg${register}, t0`,
      `  li t0, ${hex(BigInt(configuration | permissions) << BigInt(shift))}`,
      `  csrs pmpcfg${register}, t0`,
      "  sfence.vma",
    );
    for (const [k, place] of [first - 1, first, end - 1, end].entries()) {
      const access = random.pick(["lw a0, 0(a1)", "sw a0, 0(a1)", "lb a0, 3(a1)", "sb a0, 0(a1)"]);
      lines.push(`  la a1, page0 + ${4 * place}`, `  run_in ${random.below(2)}, bound_${i}_${k}`);
      probes.push(`bound_${i}_${k}:`, `  ${access}`, "  ecall");
    }
    lines.push(`  li t0, ${hex(0xffn << BigInt(shift))}`, `  csrc pmpcfg${register}, t0`, "  sfence.vma");
    if (kind === "TOR") lines.push("  li t0, 1", `  csrw pmpaddr${entry - 1}, t0`);
    lines.push("  li t0, 1", `  csrw pmpaddr${entry}, t0`);
  }
  return program("pmp-bounds", lines, probes);
}

/** Atomics where they succeed, and where they may read but not write */
function atomicsProgram(xlen: Xlen): Source {
  const random = new Random(`atomics ${xlen}`);
  const lines: string[] = [
    "  page_tables",
    "  open_pmp",
    "  leaf level0, page0, V|R|W|U",
    "  leaf level0 + PTE_SIZE, page1, V|R|U|A",
  ];
  const probes: string[] = [];
  const operations = ["swap", "add", "xor", "and", "or", "min", "max", "minu", "maxu"];
  const sizes = xlen === 64 ? ["w", "d"] : ["w"];
  for (let i = 0; i < 60; i++) {
    const size = random.pick(sizes);
    const address = random.below(5) === 0 ? 0x1000 : 8 * random.below(8);
    lines.push(
      `  li a1, ${address}`,
      `  li a0, ${hex(random.word(xlen))}`,
      `  run_in 0, atomic_${i}, USER_OFFSET`,
      "  la t0, level0",
      "  PTE_L a2, 0(t0)",
    );
    const amo = `  amo${random.pick(operations)}.${size} a2, a0, (a1)`;
    const pair = [`  lr.${size} a2, (a1)`, random.below(3) === 0 ? "  ecall" : "  nop", `  sc.${size} a3, a0, (a1)`];
    probes.push(`atomic_${i}:`, ...(random.below(2) === 0 ? [amo] : pair), "  lw a4, 0(a1)", "  ecall");
  }
  return program("atomics", lines, probes);
}

/** Software, timer and, by the bits of mip, supervisor interrupts: pending in every mode, enabled, delegated, vectored. */
function interruptProgram(xlen: Xlen, part: number): Source {
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
function timerProgram(xlen: Xlen): Source {
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

/** All programs for one width of registers. */
export function programs(xlen: Xlen): readonly Source[] {
  return [
    ...Object.entries(WRITABLE).map(([name, csr]) => csrProgram(name, csr, xlen)),
    ...[0, 1024, 2048, 3072].flatMap((from) => ([3, 1, 0] as const).map((mode) => existenceProgram(mode, from, xlen))),
    counterProgram(xlen),
    exceptionProgram(xlen),
    returnProgram(xlen),
    ...[0, 1, 2, 3].map((part) => pagingProgram(xlen, part)),
    ...[0, 1, 2, 3].map((part) => pmpProgram(xlen, part)),
    pmpBoundsProgram(xlen),
    ...[0, 1].map((part) => interruptProgram(xlen, part)),
    timerProgram(xlen),
    atomicsProgram(xlen),
  ];
}
