/**
 * Every block that QEMU translates when it runs a program.
 */
import { EnvironmentFailure, UserError } from "../../refinement/errors.js";
import type { GuestBlock } from "../../refinement/translation.js";
import type { LoggedBlock, LoggedInstruction } from "./log.js";
import { readQemuLog } from "./qemu-log.js";
import type { Emulation } from "./translate.js";

/** 128 + SIGILL. */
const ILLEGAL = 132;

/**
 * The first `count` different ones. The program has no input, and is stopped once they are found. Where an instruction ends it that the
 * processor lacks, what is behind it is unsupported.
 */
export async function* programBlocks(
  emulation: Emulation,
  elf: string,
  count: number,
  signal: AbortSignal,
): AsyncGenerator<GuestBlock> {
  const { emulator, processor, silenceMs, totalMs } = emulation;
  const log = readQemuLog({ emulator, options: processor, elf, withInput: true, silenceMs, totalMs }, signal);
  const seen = new Map<bigint, Set<string>>();
  let found = 0;
  let last: LoggedInstruction | undefined;
  for (let next = await log.next(); ; next = await log.next()) {
    if (next.done === true) {
      const ended = next.value;
      if (ended === undefined) return;
      if (found === 0) throw new UserError(`${elf}: ${emulator} runs nothing of it: ${ended.complaint.trim()}`);
      if (ended.status === ILLEGAL && last !== undefined) yield behind(last, processor);
      return;
    }
    const event = next.value;
    if (event.kind === "problem") {
      const { name, line, message } = event.problem;
      throw new EnvironmentFailure(emulator, `its log of ${elf} is ${name} at line ${line}: ${message}`);
    }
    if (event.kind !== "block") continue;
    last = event.block.instructions.at(-1);
    const block = guestBlock(event.block, seen);
    if (block === undefined) continue;
    yield block;
    if (++found === count) {
      await log.return(undefined);
      return;
    }
  }
}

/** What the program would have gone on with behind an instruction that was illegal. */
function behind({ address, bytes }: LoggedInstruction, processor: readonly string[]): GuestBlock {
  const word = Buffer.from(bytes).reverse().toString("hex");
  const lacking = `the instruction 0x${word}, illegal for ${processor.join(" ")}, at which the program ends`;
  return { name: `behind 0x${address.toString(16)}`, pc: address, code: bytes, unsupported: lacking };
}

/** Unless it was seen before. */
function guestBlock({ instructions }: LoggedBlock, seen: Map<bigint, Set<string>>): GuestBlock | undefined {
  const pc = instructions[0]?.address;
  if (pc === undefined) return undefined;
  const code = Buffer.concat(instructions.map((i) => i.bytes));
  const key = code.toString("hex");
  const others = seen.get(pc) ?? new Set();
  if (others.has(key)) return undefined;
  seen.set(pc, others.add(key));
  return { name: `0x${pc.toString(16)}${others.size > 1 ? `.${others.size}` : ""}`, pc, code };
}
