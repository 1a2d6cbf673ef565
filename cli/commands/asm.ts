import { existsSync, statSync } from "node:fs";
import type { Command } from "commander";
import type { Program } from "../../refinement/assembly/index.js";
import type { Machine } from "../../refinement/machine.js";
import { readInput } from "../files.js";
import { instructionSetOf, machineNamed } from "../load.js";
import { checkPc, pcOption } from "../options.js";
import { commonOptions, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { table } from "../terminal/table.js";

interface AsmOptions extends CommonOptions {
  readonly pc: bigint;
}

export function addAsm(program: Command): Command {
  return commonOptions(program.command("asm"))
    .description("assemble with the assembler derived from a machine's definition")
    .argument("<MACHINE>", "a name from `commute list`, or a path to a machine file")
    .argument("<TEXT>", "assembly (`;` between instructions), the path of a file of it, or - for standard input")
    .addOption(pcOption())
    .addHelpText(
      "after",
      `
Prints a line for each instruction: address, bytes in memory order, text; with --quiet the bytes alone.

Examples:
  commute asm rv64im 'addi a0, zero, 7; mul a0, a0, a0'
  commute asm --quiet rv32i loop.s
  commute asm x86-64 'add rax, [rbx+rcx*8+16]'`,
    )
    .action((machine: string, text: string, options: AsmOptions) =>
      session(options, ({ out }) => asm(machine, text, options.pc, out)),
    );
}

async function asm(name: string, argument: string, pc: bigint, out: Output): Promise<number> {
  const machine = await machineNamed(name);
  checkPc(machine, pc);
  const { file, text } = await source(argument);
  const { lines } = await assembled(machine, text, pc, file);
  const shown = lines.map((line) => ({
    address: line.address,
    code: Buffer.from(line.bytes).toString("hex"),
    text: line.text,
  }));
  out.json({ version: 1, machine: machine.name, pc, code: shown.map((l) => l.code).join(" "), lines: shown });
  if (out.isQuiet) out.line(shown.map((l) => l.code).join(" "));
  else for (const row of table(shown.map((l) => [`0x${l.address.toString(16)}`, l.code, l.text]))) out.line(row);
  return 0;
}

async function assembled(machine: Machine, text: string, pc: bigint, file: string): Promise<Program> {
  const { decoded } = machine;
  if (decoded !== undefined) {
    const { decoderLibrary } = await import("../../refinement/assembly/library.js");
    const known = new Set(decoded.blocks.map((b) => b.mnemonic));
    return (await decoderLibrary(decoded)).assemble(text, pc, (mnemonic) => known.has(mnemonic), file);
  }
  instructionSetOf(machine, "asm");
  const { assembleProgram } = await import("../../refinement/assembly/index.js");
  return assembleProgram(machine, text, pc, file);
}

async function source(argument: string): Promise<{ readonly file: string; readonly text: string }> {
  if (argument !== "-" && !(existsSync(argument) && statSync(argument).isFile()))
    return { file: "<assembly>", text: argument };
  const file = argument === "-" ? "<stdin>" : argument;
  return { file, text: Buffer.from(await readInput(argument)).toString("utf8") };
}
