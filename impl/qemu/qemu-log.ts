/**
 * One run of a program under QEMU, read as a log. It is killed where its log has no end.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type Ended, QemuProcess } from "../shared/qemu-process.js";
import type { LogEvent } from "./log.js";
import { LogReader } from "./log-reader.js";

export interface QemuRun {
  /** Path of the emulator. */
  readonly emulator: string;
  /** Of the command line, before the log's: `-cpu …`, `-singlestep`. */
  readonly options: readonly string[];
  /** Path of an executable. */
  readonly elf: string;
  /**
   * Whether the guest's instructions are logged as they are read. QEMU 7.2 disassembles words whose low seven bits are all ones without
   * end, so not where there may be one.
   */
  readonly withInput: boolean;
  readonly silenceMs: number;
  readonly totalMs: number;
}

/** What is read; at last how it ended, `undefined` where it was killed since its log had no end. */
export async function* readQemuLog(run: QemuRun, signal: AbortSignal): AsyncGenerator<LogEvent, Ended | undefined> {
  const { silenceMs, totalMs } = run;
  const items = run.withInput ? "in_asm,op_opt,out_asm" : "op_opt,out_asm";
  const qemu = new QemuProcess(run.emulator, run.options, items, run.elf, { silenceMs, totalMs });
  const reader = new LogReader();
  for await (const chunk of qemu.log(signal)) {
    for (const event of reader.push(chunk)) {
      yield event;
      if (event.kind === "problem" && event.problem.name === "flood") return undefined;
    }
  }
  yield* reader.end();
  return qemu.end();
}

/** Calls `use` with the path of a file that holds the executable, and is gone afterwards. */
export async function withExecutable<T>(bytes: Uint8Array, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-qemu-"));
  try {
    const file = path.join(folder, "guest.elf");
    await writeFile(file, bytes, { mode: 0o755 });
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
