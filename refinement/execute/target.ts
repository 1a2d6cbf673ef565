/** Which ELF files a machine runs: those for RISC-V or for x86-64, as its state tells. */
import { type InstructionSet, type Machine, variable } from "../machine.js";
import { EF_RISCV_RVC, type Elf, elfError, type ElfTarget, EM_RISCV, EM_X86_64 } from "./elf.js";
import { isX8664 } from "./linux-x86-64.js";

/** Undefined for a machine of which it is not known. */
export function targetOf(machine: Machine): ElfTarget | undefined {
  return machine.decoded === undefined ? riscvTarget(machine) : x8664Target(machine);
}

function x8664Target(machine: Machine): ElfTarget | undefined {
  return isX8664(machine) ? { name: machine.name, machine: EM_X86_64, class: 64, options: "-m64" } : undefined;
}

function riscvTarget(machine: Machine): ElfTarget | undefined {
  const pc = variable(machine, "pc")?.sort;
  const registers = variable(machine, "x")?.sort;
  if (registers?.kind !== "file" || registers.count !== 32 || variable(machine, "mem")?.sort.kind !== "memory")
    return undefined;
  if (pc?.kind !== "bits" || (pc.width !== 32 && pc.width !== 64)) return undefined;
  const options = pc.width === 64 ? "-march=rv64im -mabi=lp64" : "-march=rv32im -mabi=ilp32";
  return { name: machine.name, machine: EM_RISCV, class: pc.width, options };
}

/** What a program for RISC-V may still ask too much of. */
export function checkRiscv(isa: InstructionSet, elf: Elf, file: string, { name, options }: ElfTarget): void {
  const compressed = isa.instructions.some((i) => i.encoding.width === 16);
  if ((elf.flags & EF_RISCV_RVC) !== 0 && !compressed)
    throw elfError(file, `contains compressed (16-bit) instructions, which ${name} has not: compile with ${options}`);
  const alignment = compressed ? 2n : 4n;
  if (elf.entry % alignment !== 0n)
    throw elfError(file, `entry point 0x${elf.entry.toString(16)} is not a multiple of ${alignment}`);
}
