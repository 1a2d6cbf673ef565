/**
 * Every block that QEMU translates when it runs a program.
 */
import { EnvironmentFailure, UserError } from "../../refinement/errors.js";
import type { GuestBlock } from "../../refinement/translation.js";
import type { LoggedBlock } from "./log.js";
import { readQemuLog } from "./qemu-log.js";
import type { Emulation } from "./translate.js";

/** 128 + SIGILL. */
const ILLEGAL = 132;

/** The first `count` different ones. The program has no input, and is stopped once they are found. */
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
  for (let next = await log.next(); ; next = await log.next()) {
    if (next.done === true) {
      const ended = next.value;
      if (ended === undefined) return;
      if (found === 0) throw new UserError(`${elf}: ${emulator} runs nothing of it: ${ended.complaint.trim()}`);
      if (ended.status === ILLEGAL)
        throw new UserError(
          `${elf} uses instructions that the guest lacks (${processor.join(" ")}): its blocks up to there are read`,
        );
      return;
    }
    const event = next.value;
    if (event.kind === "problem") {
      const { name, line, message } = event.problem;
      throw new EnvironmentFailure(emulator, `its log of ${elf} is ${name} at line ${line}: ${message}`);
    }
    if (event.kind !== "block") continue;
    const block = guestBlock(event.block, seen);
    if (block === undefined) continue;
    yield block;
    if (++found === count) {
      await log.return(undefined);
      return;
    }
  }
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
