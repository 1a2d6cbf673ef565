/**
 * What it means that the kernel does not load a program. The verifier decides before a program runs what the definition decides
 * when an instruction is reached: that a word is none, or that control leaves the program. Anything else that it refuses is no
 * statement about the instruction, and an error here.
 */

/** The names that the guest's definition has for what the kernel says. */
export const TRAPS = [
  "illegal_instruction",
  "program_access_fault",
  "unsupported_packet_access",
  "call_depth_exceeded",
  "exited",
] as const;
export type TrapName = (typeof TRAPS)[number];

/** In order; the kernel's own words (Linux 6.18: kernel/bpf/verifier.c, core.c). */
const MEANINGS: readonly (readonly [RegExp, TrapName])[] = [
  [/jump out of range from insn|last insn is not an exit or jmp/, "program_access_fault"],
  [/BPF_LD_\[ABS\|IND\] instructions not allowed/, "unsupported_packet_access"],
  [/the call stack of \d+ frames is too deep/, "call_depth_exceeded"],
  [
    /unknown opcode|unknown insn class|uses? reserved fields|invalid (?:(?:BPF_\w+|atomic) )?(?:opcode|mode)/i,
    "illegal_instruction",
  ],
  [/invalid atomic operand size|addr_space_cast insn can only convert/, "illegal_instruction"],
  [/R1[0-5] is invalid|frame pointer is read only|(?:invalid|unrecognized) bpf_ld_imm64 insn/i, "illegal_instruction"],
];

export function meaningOf(log: string): TrapName | undefined {
  return MEANINGS.find(([text]) => text.test(log))?.[1];
}
