/**
 * The installed qemu-riscv64 as a translator whose code is read from its log.
 */
import { decode } from "../../refinement/assembly/index.js";
import type { Machine } from "../../refinement/machine.js";
import { UserError } from "../../refinement/errors.js";
import type {
  BlockOptions,
  GuestBlock,
  RealOutcome,
  RealRun,
  TranslationAnswer,
  TranslationRequest,
  Translator,
  TranslatorFactory,
} from "../../refinement/translation.js";
import { shortestLength } from "../../refinement/assembly/words.js";
import { wordAt } from "../../refinement/translation/guest.js";
import { widthOfValue } from "../../refinement/translation/trap-value.js";
import { findProgram, versionOf, missing } from "../shared/programs.js";
import { processorModel, singleStepOption } from "../shared/qemu.js";
import { discoverLayout } from "./discover.js";
import { hostFeatures } from "./host.js";
import { type Options, readOptions } from "./options.js";
import { programBlocks } from "./program-blocks.js";
import { withExecutable } from "./qemu-log.js";
import type { GuestTrap, GuestTraps } from "./read-translation.js";
import { runForReal } from "./real-run.js";
import { snippetProgram } from "./snippets.js";
import { compareLayouts, type StateLayout } from "./state-layout.js";
import { sweep } from "./sweep.js";
import { type Emulation, translateAll } from "./translate.js";

const SILENCE_MS = 60_000;
const TOTAL_MS = 600_000;
/** Which QEMU has from 8.0 on. */
const ZICOND = ["czero.eqz", "czero.nez"];

const factory: TranslatorFactory = async (guest, options) => {
  const chosen = readOptions(options);
  const traps = trapsOf(guest, chosen.layout);
  const emulator = await findProgram(chosen.program);
  if (emulator === undefined) return { missing: [missing(chosen.program)] };
  return { translator: await Qemu.open(chosen, emulator, guest, traps) };
};
export default factory;

/** Where `raise_exception` finds a trap's value, by the cause: addresses are in `badaddr`, the instruction in `bins`. */
const VALUES: ReadonlyMap<bigint, { readonly place: string; readonly bytes: number }> = new Map([
  [0n, { place: "badaddr", bytes: 8 }],
  [2n, { place: "bins", bytes: 4 }],
]);
/** The region at rbp, as the refinement calls it. */
const STATE = "state";

function trapsOf(guest: Machine, layout: StateLayout): GuestTraps {
  const traps = new Map<bigint, GuestTrap>();
  const instructionBytes = guest.instructionSet === undefined ? 0 : shortestLength(guest.instructionSet);
  for (const { cause, name } of guest.traps) {
    if (cause === undefined) continue;
    const { place = "", bytes = 0 } = VALUES.get(BigInt(cause)) ?? {};
    const offset = widthOfValue(guest, name) === undefined ? undefined : layout.get(place);
    const value = offset === undefined ? undefined : ({ kind: "memory", region: STATE, offset, bytes } as const);
    traps.set(BigInt(cause), place === "bins" ? { name, value, instructionBytes } : { name, value });
  }
  for (const needed of ["illegal_instruction", "breakpoint", "environment_call"]) {
    if (!guest.traps.some((t) => t.name === needed))
      throw new UserError(`${guest.name} has no trap ${needed}: qemu-riscv64 translates RISC-V`);
  }
  return traps;
}

class Qemu implements Translator {
  readonly identity: string;
  private readonly emulation: Emulation;
  private readonly traps: GuestTraps;
  private readonly layout: StateLayout;
  /** Names of the guest's instructions that this QEMU takes for illegal. */
  private readonly lacking: readonly string[];

  private constructor(
    identity: string,
    emulation: Emulation,
    traps: GuestTraps,
    layout: StateLayout,
    lacking: readonly string[],
  ) {
    this.identity = identity;
    this.emulation = emulation;
    this.traps = traps;
    this.layout = layout;
    this.lacking = lacking;
  }

  static async open(options: Options, emulator: string, guest: Machine, traps: GuestTraps): Promise<Qemu> {
    const version = await versionOf(emulator);
    const { cpu: model, zicond } = await withExecutable(snippetProgram(guest, []), (probe) =>
      processorModel(emulator, options.cpu, new Set(options.extensions), probe),
    );
    const base = options.guestBase === undefined ? [] : ["-B", `0x${options.guestBase.toString(16)}`];
    const emulation: Emulation = {
      emulator,
      processor: ["-cpu", model, ...base],
      singleStep: singleStepOption(version),
      guest,
      silenceMs: SILENCE_MS,
      totalMs: TOTAL_MS,
    };
    const found = await discoverLayout(emulation, options.layout);
    compareLayouts(found.byOrder, options.layout, "by the order of its stores");
    const registers = new Map([...options.layout].filter(([name]) => found.byValue.has(name) || /^[xf]\d/.test(name)));
    compareLayouts(found.byValue, registers, "by what its stores store");
    const identity = [version, emulation.processor.join(" "), await hostFeatures()].join("; ");
    return new Qemu(identity, emulation, traps, options.layout, zicond === "itself" ? [] : ZICOND);
  }

  async *translate(requests: readonly TranslationRequest[], signal: AbortSignal): AsyncGenerator<TranslationAnswer> {
    let i = 0;
    for await (const answer of translateAll(this.emulation, this.traps, requests, signal)) {
      const name = this.lackingIn(requests[i++]?.code ?? new Uint8Array());
      yield name === undefined ? answer : { kind: "unsupported", what: `${name}, which this QEMU does not have` };
    }
  }

  /** Of some code the first instruction that the guest has and this QEMU has not. */
  private lackingIn(code: Uint8Array): string | undefined {
    const { guest } = this.emulation;
    const set = guest.instructionSet;
    if (set === undefined || this.lacking.length === 0) return undefined;
    for (let at = 0; at < code.length; ) {
      const { word, size } = wordAt(set, code, at);
      const name = decode(guest, word)?.instruction.name;
      if (name !== undefined && this.lacking.includes(name)) return name;
      at += size;
    }
    return undefined;
  }

  async *blocks({ count, seed, elf }: BlockOptions, signal: AbortSignal): AsyncGenerator<GuestBlock> {
    if (elf === undefined) yield* sweep(this.emulation.guest, count, seed);
    else yield* programBlocks(this.emulation, elf, count, signal);
  }

  run(run: RealRun, signal: AbortSignal): Promise<RealOutcome> {
    return runForReal(this.emulation, this.layout, run, signal);
  }

  async close(): Promise<void> {}
}
