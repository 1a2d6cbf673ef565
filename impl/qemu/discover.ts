/**
 * Asks the installed QEMU where the guest's state lies, in the two ways of state-layout.ts.
 */
import { assemble } from "../../refinement/assembly/index.js";
import { EnvironmentFailure } from "../../refinement/errors.js";
import type { TranslationRequest } from "../../refinement/translation.js";
import type { LoggedBlock } from "./log.js";
import { layoutByOrder, layoutByValue, layoutOfTraps, type StateLayout } from "./state-layout.js";
import { type Emulation, logAll } from "./translate.js";

const AT = 0x10_0000n;
/** Register i is set to this + i. */
const VALUE = 0x2a0n;

export interface FoundLayouts {
  readonly byOrder: StateLayout;
  readonly byValue: StateLayout;
}

/**
 * The registers and the program counter; by their order also what the guest's load-reserved sets, if it has one; and where traps have their
 * values, which the intermediate code names by their places, if that is `expected` to be known.
 */
export async function discoverLayout(emulation: Emulation, expected: StateLayout): Promise<FoundLayouts> {
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
  const has = (name: string): boolean => guest.instructionSet?.instructions.some((i) => i.name === name) === true;
  if (has("lr.d")) computed.push(ask("lr.d x10, (x11)", at(65)));
  if (has("fmv.d.x")) {
    for (let i = 0; i < 32; i++) {
      const number = VALUE + 32n + BigInt(i);
      values.set(number, `f${i}`);
      computed.push(ask(`fmv.d.x f${i}, x10`, at(66 + i)));
      // x10 is 0 again in the end, so that the number goes to one place alone.
      const text = `addi x10, zero, ${number}; fmv.d.x f${i}, x10; addi x10, zero, 0; jal zero, . + 8`;
      constant.push(ask(text, at(98 + i)));
    }
  }
  const trapping: TranslationRequest[] = [];
  if (expected.has("badaddr")) trapping.push(ask("jal zero, . + 6", at(130)));
  if (expected.has("bins")) trapping.push({ pc: at(131), code: Uint8Array.of(0x0b, 0, 0, 0) }); // custom-0
  const traps = layoutOfTraps(await blocksFor(emulation, trapping));
  const byOrder = new Map([...layoutByOrder(await blocksFor(emulation, computed)), ...traps]);
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
