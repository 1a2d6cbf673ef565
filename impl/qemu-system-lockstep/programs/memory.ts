/** Programs about memory: page tables, physical memory protection, atomics. */
import { hex, Random } from "./random.js";
import { program, type Source, type Xlen } from "./source.js";

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
export function pagingProgram(xlen: Xlen, part: number): Source {
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
export function pmpProgram(xlen: Xlen, part: number): Source {
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
export function pmpBoundsProgram(xlen: Xlen): Source {
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
export function atomicsProgram(xlen: Xlen): Source {
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
