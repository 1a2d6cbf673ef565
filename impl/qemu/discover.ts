/**
 * Asks the installed QEMU where the guest's state lies, in the two ways of state-layout.ts.
 */
import { assemble } from "../../refinement/assembly/index.js";
import { EnvironmentFailure } from "../../refinement/errors.js";
import type { TranslationRequest } from "../../refinement/translation.js";
import type { LoggedBlock } from "./log.js";
import { layoutByOrder, layoutByValue, type StateLayout } from "./state-layout.js";
import { type Emulation, logAll } from "./translate.js";

const AT = 0x10_0000n;
/** Register i is set to this + i. */
const VALUE = 0x2a0n;

export interface FoundLayouts {
  readonly byOrder: StateLayout;
  readonly byValue: StateLayout;
}

/** The registers and the program counter; by their order also what the guest's load-reserved sets, if it has one. */
export async function discoverLayout(emulation: Emulation): Promise<FoundLayouts> {
  const { guest } = emulation;
  const at = (i: number): bigint => AT + 16n * BigInt(i);
  const ask = (text: string, pc: bigint): TranslationRequest => ({ pc, code: assemble(guest, text, pc) });
  const values = new Map<bigint, string>();
  const constant: TranslationRequest[] = [];
  const computed: TranslationRequest[] = [];
  for (let i = 1; i < 32; i++) {
    values.set(VALUE + BigInt(i), `x${i}`);
    constant.push(ask(`addi x${i}, zero, ${VALUE + BigInt(i)}`, at(i)));
    computed.push(ask(`add x${i}, x${(i % 31) + 1}, x${((i + 1) % 31) + 1}`, at(32 + i)));
  }
  // Behind the jump's target nothing else stores the number.
  values.set(at(64) + 8n, "pc");
  constant.push(ask(`jal zero, 0x${(at(64) + 8n).toString(16)}`, at(64)));
  if (guest.instructionSet?.instructions.some((i) => i.name === "lr.d")) computed.push(ask("lr.d x10, (x11)", at(65)));
  const byOrder = layoutByOrder(await blocksFor(emulation, computed));
  const byValue = layoutByValue(await blocksFor(emulation, constant), values);
  return { byOrder, byValue };
}

async function blocksFor(emulation: Emulation, requests: readonly TranslationRequest[]): Promise<LoggedBlock[]> {
  const blocks: LoggedBlock[] = [];
  for await (const logged of logAll(emulation, requests, new AbortController().signal)) {
    if (logged.kind === "error")
      throw new EnvironmentFailure(emulation.emulator, `does not show its translations: ${logged.reason}`);
    blocks.push(logged.block);
  }
  return blocks;
}
