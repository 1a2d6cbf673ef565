import { describe, expect, test } from "vitest";
import type { TrapValue } from "../../../refinement/translation.js";
import { type ByHand, verdicts, violations } from "./by-hand.js";

/** Every obligation of a right translation is proved; of a wrong one, this is what is found. */
interface Example extends ByHand {
  readonly wrong?: Readonly<Record<string, string>>;
  /** What is shown to be impossible. */
  readonly never?: readonly string[];
}

const LOAD_STORE = {
  guest: "ld a0, 8(a1)\nsd a0, 0(a2)",
  faults: [
    ["load", 0],
    ["store", 4],
  ],
} as const;

const BRANCH = {
  guest: "beq a0, a1, 0x10010",
  exits: [
    ["next", 4],
    ["taken", 16],
  ],
} as const;

const CONDITIONAL = {
  machine: "rv64imac_zba_zbb",
  guest: "sc.d a0, a1, (a2)",
  exits: [
    ["exit", 4],
    ["misaligned", 0, { trap: "store_address_misaligned" }],
  ],
} as const;

/** A jump to a target that may be misaligned, and then is the value of the trap. */
const JUMP = {
  guest: "jalr zero, 0(a1)",
  host: `mov rax, [rdi+88]
         mov rcx, rax
         and rax, -2
         test al, 2
         jne odd
         mov [rdi+256], rax
   exit: ret
    odd: mov [rdi+288], rax
   trap: ret`,
} as const;

/** Where the jump leaves, with the value there. */
function jumping(value: TrapValue): NonNullable<ByHand["exits"]> {
  return [
    ["exit", undefined],
    ["trap", 0, { trap: "instruction_address_misaligned", value }],
  ];
}

/** One by one, a0 counted down to 0: the block jumps back to its own beginning. */
const LOOP = {
  guest: "addi a0, a0, -1\nbne a0, zero, 0x10000",
  exits: [["exit", 8]],
  points: [["again", 0]],
} as const;

const examples: Readonly<Record<string, Example>> = {
  "an addition in the context": {
    guest: "add a0, a1, a2",
    host: "mov rax, [rdi+88]; add rax, [rdi+96]; mov [rdi+80], rax; exit: ret",
  },
  "a 32-bit addition": {
    guest: "addiw a0, a1, 1",
    host: "mov eax, [rdi+88]; add eax, 1; movsxd rax, eax; mov [rdi+80], rax; exit: ret",
  },
  "a 32-bit addition without its sign extension": {
    guest: "addiw a0, a1, 1",
    host: "mov eax, [rdi+88]; add eax, 1; mov [rdi+80], rax; exit: ret",
    wrong: { "commute/block/exit+a": "refuted x[10]" },
  },
  "x0 written": {
    guest: "add zero, a1, a2",
    host: "mov rax, [rdi+88]; mov [rdi], rax; exit: ret",
  },
  "x0 read from where something was written": {
    guest: "add a0, zero, a1",
    host: "mov rax, [rdi]; add rax, [rdi+88]; mov [rdi+80], rax; exit: ret",
    wrong: { "commute/block/exit+b": "refuted x[10]" },
  },
  "another register's slot": {
    guest: "add a0, a1, a2",
    host: "mov rax, [rdi+88]; add rax, [rdi+96]; mov [rdi+72], rax; exit: ret",
    wrong: { "commute/block/exit+c": "refuted x[9]" },
  },
  "a load and a store": {
    ...LOAD_STORE,
    host: `mov rax, [rdi+88]
     load: mov rax, [rax+8]
           mov [rdi+80], rax
           mov rdx, [rdi+96]
    store: mov [rdx], rax
     exit: ret`,
  },
  "write-back missing before an access that can fault": {
    ...LOAD_STORE,
    host: `mov rax, [rdi+88]
     load: mov rax, [rax+8]
           mov rdx, [rdi+96]
    store: mov [rdx], rax
           mov [rdi+80], rax
     exit: ret`,
    wrong: { "materialize/block/+c": "refuted x[10]" },
  },
  "a fault map off by one instruction": {
    ...LOAD_STORE,
    host: `mov rax, [rdi+88]
     load: mov rax, [rax+8]
           mov [rdi+80], rax
           mov rdx, [rdi+96]
    store: mov [rdx], rax
     exit: ret`,
    faults: [
      ["load", 4],
      ["store", 4],
    ],
    wrong: { "materialize/block/+4": "refuted trap" },
  },
  "an access that the fault map forgets": {
    ...LOAD_STORE,
    host: `mov rax, [rdi+88]
     load: mov rax, [rax+8]
           mov [rdi+80], rax
           mov rdx, [rdi+96]
    store: mov [rdx], rax
     exit: ret`,
    faults: [["load", 0]],
    wrong: { "materialize/block/+10": "refuted fault map" },
  },
  "a store's effect before an earlier load's fault": {
    guest: "sd a0, 0(a2)\nld a0, 8(a1)",
    host: `mov rcx, [rdi+96]
           mov rdx, [rdi+80]
           mov rax, [rdi+88]
     load: mov rax, [rax+8]
    store: mov [rcx], rdx
           mov [rdi+80], rax
     exit: ret`,
    faults: [
      ["load", 4],
      ["store", 0],
    ],
    // Where both would fault, the guest's store is the one to; and where they meet, the load has the wrong value.
    wrong: { "commute/block/exit+17": "refuted x[10]", "materialize/block/+c": "refuted trap" },
  },
  "a store that is not yet done where a later load faults": {
    guest: "sd a0, 0(a2)\nld a0, 0(a2)",
    host: `mov rcx, [rdi+96]
           mov rdx, [rdi+80]
    store: mov [rcx], rdx
     load: mov rax, [rcx]
           mov [rdi+80], rax
     exit: ret`,
    faults: [
      ["load", 4],
      ["store", 0],
    ],
  },
  "a load whose result nobody needs, left out": {
    guest: "ld zero, 0(a1)",
    host: "nop; exit: ret",
    wrong: { "commute/block/exit+1": "refuted trap" },
  },
  "a load wider than the guest's": {
    guest: "lw a0, 0(a1)",
    host: `mov rax, [rdi+88]
     load: mov rax, [rax]
           movsxd rax, eax
           mov [rdi+80], rax
     exit: ret`,
    faults: [["load", 0]],
    wrong: { "materialize/block/+4": "refuted trap" },
  },
  "a branch": {
    ...BRANCH,
    host: "mov rax, [rdi+80]; cmp rax, [rdi+88]; je taken; next: ret; taken: ret",
  },
  "a branch that is taken the other way": {
    ...BRANCH,
    host: "mov rax, [rdi+80]; cmp rax, [rdi+88]; jne taken; next: ret; taken: ret",
    wrong: { "commute/block/exit+a": "refuted pc", "commute/block/exit+b": "refuted pc" },
  },
  "flags clobbered between compare and branch": {
    ...BRANCH,
    host: "mov rax, [rdi+80]; cmp rax, [rdi+88]; add rax, 1; je taken; next: ret; taken: ret",
    wrong: { "commute/block/exit+e": "refuted pc", "commute/block/exit+f": "refuted pc" },
  },
  "write-back missing on a side exit only": {
    guest: "addi a0, a0, 1\nbeq a0, a1, 0x10014",
    host: `mov rax, [rdi+80]
           add rax, 1
           cmp rax, [rdi+88]
           je taken
           mov [rdi+80], rax
     next: ret
    taken: ret`,
    exits: [
      ["next", 8],
      ["taken", 20],
    ],
    wrong: { "commute/block/exit+13": "refuted x[10]" },
  },
  "an indirect jump": {
    guest: "jalr zero, 0(a0)",
    host: `mov rax, [rdi+80]
           and rax, -2
           test al, 2
           jne misaligned
           mov [rdi+256], rax
     exit: ret
    misaligned: ret`,
    exits: [
      ["exit", undefined],
      ["misaligned", 0, { trap: "instruction_address_misaligned" }],
    ],
  },
  "an indirect jump whose lowest bit is kept": {
    guest: "jalr zero, 0(a0)",
    host: `mov rax, [rdi+80]
           test al, 2
           jne misaligned
           mov [rdi+256], rax
     exit: ret
    misaligned: ret`,
    exits: [
      ["exit", undefined],
      ["misaligned", 0, { trap: "instruction_address_misaligned" }],
    ],
    wrong: { "commute/block/exit+f": "refuted pc" },
  },
  "a system call": {
    guest: "ecall",
    host: "exit: ret",
    exits: [["exit", 0, { trap: "environment_call" }]],
  },
  "a system call taken for a breakpoint": {
    guest: "ecall",
    host: "exit: ret",
    exits: [["exit", 0, { trap: "breakpoint" }]],
    wrong: { "commute/block/exit+0": "refuted trap" },
  },
  "an exit for interrupts, before anything is done": {
    guest: "addi a0, a0, 1",
    host: `cmp dword [rdi+504], 0
           jne interrupted
           add qword [rdi+80], 1
     exit: ret
    interrupted: ret`,
    exits: [
      ["exit", 4],
      ["interrupted", 0, { interrupt: true }],
    ],
  },
  "an exit for interrupts where none is requested": {
    guest: "addi a0, a0, 1",
    host: `cmp dword [rdi+504], 0
           je interrupted
           add qword [rdi+80], 1
     exit: ret
    interrupted: ret`,
    exits: [
      ["exit", 4],
      ["interrupted", 0, { interrupt: true }],
    ],
    wrong: { "commute/block/exit+f": "refuted request" },
  },
  "a point at an exit, where it does not hold": {
    guest: "addi a0, a0, 1",
    host: "add qword [rdi+80], 1; exit: ret",
    points: [["exit", 0]],
    wrong: { "commute/block/point+5": "refuted x[10]" },
  },
  "nothing but an exit for interrupts": {
    guest: "addi a0, a0, 1",
    host: "interrupted: ret",
    exits: [["interrupted", 0, { interrupt: true }]],
    requests: false,
    wrong: { "commute/block/exit+0": "vacuous" },
  },
  "an exit for interrupts, after something is done": {
    guest: "addi a0, a0, 1",
    host: `add qword [rdi+80], 1
           cmp dword [rdi+504], 0
           jne interrupted
     exit: ret
    interrupted: ret`,
    exits: [
      ["exit", 4],
      ["interrupted", 0, { interrupt: true }],
    ],
    wrong: { "commute/block/exit+f": "refuted x[10]" },
  },
  // It may, and then does not look at the memory: what the guest leaves open decides here whether it traps.
  "a store-conditional that always fails": {
    ...CONDITIONAL,
    host: `mov rax, [rdi+96]
           test al, 7
           jne misaligned
           mov byte [rdi+272], 0
           mov qword [rdi+80], 1
     exit: ret
    misaligned: ret`,
  },
  "a store-conditional that says that it has stored": {
    ...CONDITIONAL,
    host: `mov rax, [rdi+96]
           test al, 7
           jne misaligned
           mov byte [rdi+272], 0
           mov qword [rdi+80], 0
     exit: ret
    misaligned: ret`,
    wrong: { "commute/block/exit+17": "refuted trap" },
  },
  // (a | b) + (a & b) = a + b: that both loads have one address is for a solver to find.
  "a second load that cannot fault": {
    guest: `or a3, a1, a2
            and a4, a1, a2
            add a3, a3, a4
            sub a3, a3, a2
            lbu a4, 0(a1)
            lbu a5, 0(a3)`,
    host: `mov rax, [rdi+88]
           mov rcx, rax
           mov rdx, rax
           or rcx, [rdi+96]
           and rdx, [rdi+96]
           add rcx, rdx
           sub rcx, [rdi+96]
           mov [rdi+104], rcx
           mov [rdi+112], rdx
     first: movzx edx, byte [rax]
           mov [rdi+112], rdx
    second: movzx edx, byte [rcx]
           mov [rdi+120], rdx
     exit: ret`,
    faults: [
      ["first", 16],
      ["second", 20],
    ],
    never: ["materialize/block/+28"],
  },
  "a register of the caller's, saved and restored": {
    guest: "add a0, a1, a2",
    host: `push rbx
           mov rbx, [rdi+88]
           add rbx, [rdi+96]
           mov [rdi+80], rbx
           pop rbx
     exit: ret`,
  },
  "a register of the caller's, clobbered": {
    guest: "add a0, a1, a2",
    host: "mov rbx, [rdi+88]; add rbx, [rdi+96]; mov [rdi+80], rbx; exit: ret",
    wrong: { "commute/block/exit+c": "refuted rbx" },
  },
  "a stack that is not as it was": {
    guest: "add a0, a1, a2",
    host: "push rbx; mov rax, [rdi+88]; add rax, [rdi+96]; mov [rdi+80], rax; exit: ret",
    wrong: { "commute/block/exit+d": "refuted rsp" },
  },
  "the direction flag left set": {
    guest: "addi a0, a0, 1",
    host: "add qword [rdi+80], 1; std; exit: ret",
    wrong: { "commute/block/exit+6": "refuted DF" },
  },
  "a store above its own stack": {
    guest: "addi a0, a0, 1",
    host: "add qword [rdi+80], 1; mov [rsp+8], rax; exit: ret",
    wrong: { "commute/block/host+5": "refuted host" },
  },
  "a store behind the context": {
    guest: "addi a0, a0, 1",
    host: "add qword [rdi+80], 1; mov [rdi+508], rax; exit: ret",
    wrong: { "commute/block/host+5": "refuted host" },
  },
  "a constant out of its own code": {
    guest: "lui a0, 0x12345",
    host: `mov rax, [rip+6]
           mov [rdi+80], rax
     exit: ret
           nop
           dq 0x12345000`,
  },
  "a constant that is another": {
    guest: "lui a0, 0x12345",
    host: `mov rax, [rip+6]
           mov [rdi+80], rax
     exit: ret
           nop
           dq 0x12346000`,
    wrong: { "commute/block/exit+b": "refuted x[10]" },
  },
  "a constant across the end of the code": {
    guest: "lui a0, 0x12345",
    host: `mov rax, [rip+9]
           mov [rdi+80], rax
     exit: ret
           nop
           dq 0x12345000`,
    wrong: { "commute/block/host+0": "refuted host" },
  },
  "an access that nobody can place": {
    guest: "addi a0, a0, 1",
    host: "add qword [rdi+80], 1; mov rcx, [rdi+88]; mov rax, [rdi+rcx*8]; exit: ret",
    wrong: {
      "commute/block/host+9":
        "unknown the instruction at 0x40000009 loads 8 bytes at an address that depends on where the region `context` lies and is not shown to lie in it",
    },
  },
  "a division that does not trap": {
    guest: "divu a0, a1, a2",
    host: `mov rcx, [rdi+96]
           test rcx, rcx
           je zero
           mov rax, [rdi+88]
           xor edx, edx
           div rcx
           mov [rdi+80], rax
     exit: ret
     zero: mov qword [rdi+80], -1
    other: ret`,
    exits: [
      ["exit", 4],
      ["other", 4],
    ],
  },
  "a division by what may be zero": {
    guest: "divu a0, a1, a2",
    host: "mov rax, [rdi+88]; xor edx, edx; div qword [rdi+96]; mov [rdi+80], rax; exit: ret",
    wrong: { "commute/block/host+6": "refuted host" },
  },
  "a jump out of the code": {
    guest: "addi a0, a0, 1",
    host: "add qword [rdi+80], 1; cmp qword [rdi+88], 5; je 0x50000000; exit: ret",
    wrong: { "commute/block/host+a": "refuted host" },
  },
  "a call of nobody knows what": {
    guest: "addi a0, a0, 1",
    host: "add qword [rdi+80], 1; call 0x50000000; exit: ret",
    calls: [{ address: 0x5000_0000n, name: "helper_trace" }],
    wrong: {
      "commute/block/host+5":
        "unsupported host code: it calls `helper_trace`, of which the refinement's `helpers` say nothing",
    },
  },
  "a trap's value in a register": { ...JUMP, exits: jumping({ kind: "register", register: "rax" }) },
  "a trap's value in another register": {
    ...JUMP,
    exits: jumping({ kind: "register", register: "rcx" }),
    wrong: { "commute/block/exit+1e": "refuted trap.value" },
  },
  "a trap's value in memory": {
    ...JUMP,
    exits: jumping({ kind: "memory", region: "context", offset: 288n, bytes: 8 }),
  },
  "a trap's value in memory, half of it": {
    ...JUMP,
    exits: jumping({ kind: "memory", region: "context", offset: 288n, bytes: 4 }),
    wrong: { "commute/block/exit+1e": "refuted trap.value" },
  },
  "a trap's value that is known": {
    guest: "jal zero, 0x10006",
    host: "exit: ret",
    exits: [["exit", 0, { trap: "instruction_address_misaligned", value: { kind: "constant", value: 0x10006n } }]],
  },
  "a trap's value that is not the one known": {
    guest: "jal zero, 0x10006",
    host: "exit: ret",
    exits: [["exit", 0, { trap: "instruction_address_misaligned", value: { kind: "constant", value: 0x10000n } }]],
    wrong: { "commute/block/exit+0": "refuted trap.value" },
  },
  "a loop": {
    ...LOOP,
    host: "again: sub qword [rdi+80], 1; jne again; exit: ret",
  },
  "a loop that goes round once too often": {
    ...LOOP,
    host: "again: sub qword [rdi+80], 1; jns again; exit: ret",
    wrong: { "commute/block/exit+7": "refuted pc", "commute/block/point+0": "refuted pc" },
  },
  "a loop that does nothing": {
    ...LOOP,
    host: "again: cmp qword [rdi+80], 1; jne again; mov qword [rdi+80], 0; exit: ret",
    wrong: { "commute/block/point+0": "refuted x[10]" },
  },
};

/** Concrete runs of a translation that was proved. */
const RUNS = 60;

describe("a translation by hand", () => {
  for (const [name, { wrong = {}, never = [], ...of }] of Object.entries(examples)) {
    test(name, { timeout: 120_000 }, async () => {
      const host = of.host.replaceAll("; ", "\n");
      const all = await verdicts({ ...of, host });
      const bad = Object.fromEntries(Object.entries(all).filter(([, verdict]) => verdict !== "proved"));
      expect(bad).toEqual(wrong);
      expect(Object.keys(all).filter((o) => o.endsWith("/never"))).toEqual(never.map((o) => `${o}/never`));
      if (Object.keys(wrong).length > 0) return;
      expect(all).not.toEqual({});
      expect(await violations({ ...of, host }, RUNS)).toEqual([]);
    });
  }
});
