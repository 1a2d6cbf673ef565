/**
 * The installed qemu-riscv64 as a translator whose code is read from its log.
 */
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
import { findProgram, versionOf, missing } from "../shared/programs.js";
import { processorModel, singleStepOption } from "../shared/qemu.js";
import { discoverLayout } from "./discover.js";
import { hostFeatures } from "./host.js";
import { type Options, readOptions } from "./options.js";
import { programBlocks } from "./program-blocks.js";
import { withExecutable } from "./qemu-log.js";
import type { TrapNames } from "./read-translation.js";
import { runForReal } from "./real-run.js";
import { snippetProgram } from "./snippets.js";
import { compareLayouts } from "./state-layout.js";
import { sweep } from "./sweep.js";
import { type Emulation, translateAll } from "./translate.js";

const SILENCE_MS = 60_000;
const TOTAL_MS = 600_000;

const factory: TranslatorFactory = async (guest, options) => {
  const chosen = readOptions(options);
  const traps = trapNames(guest);
  const emulator = await findProgram(chosen.program);
  if (emulator === undefined) return { missing: [missing(chosen.program)] };
  return { translator: await Qemu.open(chosen, emulator, guest, traps) };
};
export default factory;

function trapNames(guest: Machine): TrapNames {
  const names = new Map<bigint, string>();
  for (const { cause, name } of guest.traps) if (cause !== undefined) names.set(BigInt(cause), name);
  for (const needed of ["illegal_instruction", "breakpoint", "environment_call"]) {
    if (!guest.traps.some((t) => t.name === needed))
      throw new UserError(`${guest.name} has no trap ${needed}: qemu-riscv64 translates RISC-V`);
  }
  return names;
}

class Qemu implements Translator {
  readonly identity: string;
  private readonly emulation: Emulation;
  private readonly traps: TrapNames;

  private constructor(identity: string, emulation: Emulation, traps: TrapNames) {
    this.identity = identity;
    this.emulation = emulation;
    this.traps = traps;
  }

  static async open(options: Options, emulator: string, guest: Machine, traps: TrapNames): Promise<Qemu> {
    const version = await versionOf(emulator);
    const { cpu: model } = await withExecutable(snippetProgram(guest, []), (probe) =>
      processorModel(emulator, options.cpu, new Set(options.extensions), probe),
    );
    const emulation: Emulation = {
      emulator,
      processor: ["-cpu", model],
      singleStep: singleStepOption(version),
      guest,
      silenceMs: SILENCE_MS,
      totalMs: TOTAL_MS,
    };
    const found = await discoverLayout(emulation);
    compareLayouts(found.byOrder, options.layout, "by the order of its stores");
    const registers = new Map([...options.layout].filter(([name]) => found.byValue.has(name) || name.startsWith("x")));
    compareLayouts(found.byValue, registers, "by what its stores store");
    return new Qemu([version, `-cpu ${model}`, await hostFeatures()].join("; "), emulation, traps);
  }

  translate(requests: readonly TranslationRequest[], signal: AbortSignal): AsyncIterable<TranslationAnswer> {
    return translateAll(this.emulation, this.traps, requests, signal);
  }

  async *blocks({ count, seed, elf }: BlockOptions, signal: AbortSignal): AsyncGenerator<GuestBlock> {
    if (elf === undefined) yield* sweep(this.emulation.guest, count, seed);
    else yield* programBlocks(this.emulation, elf, count, signal);
  }

  run(run: RealRun, signal: AbortSignal): Promise<RealOutcome> {
    return runForReal(this.emulation, run, signal);
  }

  async close(): Promise<void> {}
}
