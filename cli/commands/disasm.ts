import type { Command } from "commander";
import { UserError } from "../../refinement/errors.js";
import { instructionSetOf, machineNamed } from "../load.js";
import { pcOption } from "../options.js";
import { commonOptions, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { table } from "../terminal/table.js";

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
  commute disasm rv64im 0x02a50533`,
    )
    .action((machine: string, hex: readonly string[], options: DisasmOptions) =>
      session(options, ({ out }) => disasm(machine, hex, options.pc, out)),
    );
}

async function disasm(name: string, hex: readonly string[], pc: bigint, out: Output): Promise<number> {
  const machine = await machineNamed(name);
  const { wordWidth, length } = instructionSetOf(machine, "disasm");
  const { decode, disassemble, wordToBytes } = await import("../../refinement/assembly/index.js");
  const instructions = words(hex, wordWidth).map((word, i) => {
    const address = pc + BigInt(i) * BigInt(length);
    const decoded = decode(machine, word);
    return {
      address,
      code: Buffer.from(wordToBytes(word, wordWidth)).toString("hex"),
      assembly: disassemble(machine, word, address),
      instruction: decoded?.instruction.name ?? null,
      fields: Object.fromEntries(decoded?.fields ?? []),
    };
  });
  out.json({ version: 1, machine: machine.name, pc, instructions });
  if (out.isQuiet) for (const { assembly } of instructions) out.line(assembly);
  else {
    const rows = instructions.map((i) => [`0x${i.address.toString(16)}`, i.code, i.assembly]);
    for (const row of table(rows)) out.line(row);
  }
  return 0;
}

/** The instruction words that the arguments spell. */
function words(hex: readonly string[], width: number): bigint[] {
  const size = Math.ceil(width / 8);
  const [only] = hex;
  if (hex.length === 1 && only !== undefined && /^0[xX][0-9a-fA-F]+$/.test(only)) {
    const word = BigInt(only);
    if (word >> BigInt(width) !== 0n) throw new UserError(`${only} does not fit an instruction word of ${width} bits`);
    return [word];
  }
  const digits = hex.join("").replaceAll(/[\s_]/g, "");
  const wrong = /[^0-9a-fA-F]/.exec(digits);
  if (wrong !== null)
    throw new UserError(`\`${wrong[0]}\` is no hexadecimal digit; write bytes in memory order, or one word as 0x…`);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : "", "hex");
  if (bytes.length === 0 || bytes.length % size !== 0) {
    throw new UserError(
      `${digits.length} hexadecimal digits are no whole number of instructions of ${2 * size} digits each`,
    );
  }
  return Array.from({ length: bytes.length / size }, (_, i) =>
    BigInt(
      `0x${Buffer.from(bytes.subarray(i * size, (i + 1) * size))
        .reverse()
        .toString("hex")}`,
    ),
  );
}
