import type { Command } from "commander";
import type * as Assembling from "../../refinement/assembly/index.js";
import { UserError } from "../../refinement/errors.js";
import type { DecodedInstructionSet, InstructionSet, Machine } from "../../refinement/machine.js";
import { instructionSetOf, machineNamed } from "../load.js";
import { checkPc, pcOption } from "../options.js";
import { commonOptions, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { table } from "../terminal/table.js";

/** Loaded when it is needed. */
type Assembly = typeof Assembling;

interface DisasmOptions extends CommonOptions {
  readonly pc: bigint;
}

export function addDisasm(program: Command): Command {
  return commonOptions(program.command("disasm"))
    .description("disassemble with the disassembler derived from a machine's definition")
    .argument("<MACHINE>", "a name from `commute list`, or a path to a machine file")
    .argument("<HEX...>", "bytes in memory order, spaces allowed; or one instruction word as a number, 0x…")
    .addOption(pcOption())
    .addHelpText(
      "after",
      `
Prints a line for each instruction: address, bytes in memory order, text; with --quiet the text alone.

Examples:
  commute disasm rv64im 13057000 3305a502
  commute disasm rv64im 0x02a50533
  commute disasm x86-64 480344cb10`,
    )
    .action((machine: string, hex: readonly string[], options: DisasmOptions) =>
      session(options, ({ out }) => disasm(machine, hex, options.pc, out)),
    );
}

interface Line {
  readonly address: bigint;
  readonly code: string;
  readonly assembly: string;
  readonly instruction: string | null;
}

async function disasm(name: string, hex: readonly string[], pc: bigint, out: Output): Promise<number> {
  const machine = await machineNamed(name);
  checkPc(machine, pc);
  const instructions =
    machine.decoded === undefined ? await encodedLines(machine, hex, pc) : await decodedLines(machine.decoded, hex, pc);
  out.json({ version: 1, machine: machine.name, pc, instructions });
  if (out.isQuiet) for (const { assembly } of instructions) out.line(assembly);
  else {
    const rows = instructions.map((i) => [`0x${i.address.toString(16)}`, i.code, i.assembly]);
    for (const row of table(rows)) out.line(row);
  }
  return 0;
}

async function encodedLines(machine: Machine, hex: readonly string[], pc: bigint): Promise<readonly Line[]> {
  const set = instructionSetOf(machine, "disasm");
  const assembly = await import("../../refinement/assembly/index.js");
  const { bytesOfWord, decode, disassemble, lengthOfWord } = assembly;
  let next = pc;
  return words(hex, set, assembly).map((word) => {
    const address = next;
    next += BigInt(lengthOfWord(set, word));
    const decoded = decode(machine, word);
    return {
      address,
      code: Buffer.from(bytesOfWord(set, word)).toString("hex"),
      assembly: disassemble(machine, word, address),
      instruction: decoded?.instruction.name ?? null,
      fields: Object.fromEntries(decoded?.fields ?? []),
    };
  });
}

async function decodedLines(set: DecodedInstructionSet, hex: readonly string[], pc: bigint): Promise<readonly Line[]> {
  const { decoderLibrary } = await import("../../refinement/assembly/library.js");
  const library = await decoderLibrary(set);
  const bytes = hexBytes(hex);
  if (bytes === undefined || bytes.length === 0)
    throw new UserError("an odd number of hexadecimal digits, or none, is no whole number of bytes");
  const lines = library.disassemble(bytes, pc, (instruction) => set.form(instruction).kind === "form");
  return lines.map(({ address, bytes: code, text, instruction }) => {
    const form = instruction === undefined ? undefined : set.form(instruction);
    return {
      address,
      code: Buffer.from(code).toString("hex"),
      assembly: text,
      instruction: form?.kind === "form" ? form.block.name : null,
    };
  });
}

/** Undefined where a digit is left over. */
function hexBytes(hex: readonly string[]): Buffer | undefined {
  const digits = hex.join("").replaceAll(/[\s_]/g, "");
  const wrong = /[^0-9a-fA-F]/.exec(digits);
  if (wrong !== null)
    throw new UserError(`\`${wrong[0]}\` is no hexadecimal digit; write bytes in memory order, or one word as 0x…`);
  return digits.length % 2 === 0 ? Buffer.from(digits, "hex") : undefined;
}

/** The instruction words that the arguments spell. */
function words(
  hex: readonly string[],
  set: InstructionSet,
  { lengthOfWord, widthOfLength, bytesToWord }: Assembly,
): bigint[] {
  const [only] = hex;
  if (hex.length === 1 && only !== undefined && /^0[xX][0-9a-fA-F]+$/.test(only)) {
    const word = BigInt(only);
    const width = widthOfLength(set, lengthOfWord(set, word));
    if (word >> BigInt(width) !== 0n) throw new UserError(`${only} does not fit an instruction word of ${width} bits`);
    return [word];
  }
  const bytes = hexBytes(hex) ?? Buffer.alloc(0);
  const found: bigint[] = [];
  const least = Math.ceil(widthOfLength(set, set.parcels.length) / 8);
  let at = 0;
  while (at + least <= bytes.length) {
    const first = bytesToWord(bytes.subarray(at, at + least));
    const size = Math.ceil(widthOfLength(set, lengthOfWord(set, first)) / 8);
    if (at + size > bytes.length) break;
    found.push(bytesToWord(bytes.subarray(at, at + size)));
    at += size;
  }
  if (bytes.length === 0 || at !== bytes.length) {
    const sizes = set.parcels.lengths.map((length) => 2 * Math.ceil(widthOfLength(set, length) / 8));
    throw new UserError(
      `${hex.join("").replaceAll(/[\s_]/g, "").length} hexadecimal digits are no whole number of instructions of ${sizes.join(" or ")} digits each`,
    );
  }
  return found;
}
