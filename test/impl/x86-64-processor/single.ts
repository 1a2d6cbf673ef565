/** A single instruction with registers of our choice, as the processor at hand executes it. */
import type { TestContext } from "vitest";
import { assembleX86 } from "../../../refinement/assembly/x86/index.js";
import type { CaseRoom, Patch } from "../../../refinement/emulator.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine } from "../../../refinement/machine.js";
import { MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { stateOf } from "../../emulation.js";
import { needProcessor, openProcessor } from "./need-processor.js";

export interface Placed {
  readonly state: State;
  readonly patches: readonly Patch[];
}

/** An instruction at the room's first place, with these registers. */
export function placed(
  guest: Machine,
  room: CaseRoom,
  text: string,
  registers: Readonly<Record<string, bigint>>,
): Placed {
  const rip = room.code[0]?.start ?? 0n;
  const { bytes } = assembleX86(text, rip);
  const state = new Map<string, Value>(guest.variables.map((v) => [v.name, 0n]));
  for (const [name, value] of Object.entries(registers)) state.set(name, value);
  state.set("rip", rip).set("mem", room.memory.storeBytes(rip, bytes));
  return { state, patches: [{ address: rip, bytes }] };
}

/** What the processor makes of it; of memory, the first double word of data. */
export async function run(
  ctx: TestContext,
  text: string,
  registers: Readonly<Record<string, bigint>>,
): Promise<ReadonlyMap<string, unknown>> {
  const { guest } = await needProcessor(ctx);
  const emulator = await openProcessor(ctx, guest);
  try {
    const cases = [placed(guest, emulator.room, text, registers)];
    for await (const after of emulator.execute(cases, new AbortController().signal))
      return new Map([...stateOf(after)].map(([k, v]) => [k, v instanceof MemoryValue ? v.load(0x2000_0000n, 8) : v]));
    return new Map();
  } finally {
    await emulator.close();
  }
}

/** The trap's name; undefined where there is none. */
export async function trapOf(
  ctx: TestContext,
  text: string,
  registers: Readonly<Record<string, bigint>>,
): Promise<string | undefined> {
  const { guest } = await needProcessor(ctx);
  const trap = (await run(ctx, text, registers)).get("trap");
  return guest.traps.find((t) => BigInt(t.code) === trap)?.name;
}
