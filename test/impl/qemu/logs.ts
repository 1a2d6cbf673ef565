/** Logs of QEMU 7.2.22, saved: `single` translates one instruction a block, `chained` whole blocks, `no-input` has no `in_asm`. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { LogEvent, LoggedBlock, LoggedPrologue, LogProblem } from "../../../impl/qemu/log.js";
import { LogReader } from "../../../impl/qemu/log-reader.js";

export type LogName = "single" | "chained" | "no-input";
export const NAMES: readonly LogName[] = ["single", "chained", "no-input"];

export function savedLog(name: LogName): string {
  return readFileSync(path.resolve("test/impl/qemu/logs", `${name}.log`), "latin1");
}

export interface ReadLog {
  readonly prologues: readonly LoggedPrologue[];
  readonly blocks: readonly LoggedBlock[];
  readonly problems: readonly LogProblem[];
}

/** `sizes` are those of the chunks, over and over. */
export function readLog(text: string, sizes: readonly number[] = [1 << 16]): ReadLog {
  const bytes = Buffer.from(text, "latin1");
  const reader = new LogReader();
  const events: LogEvent[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    events.push(...reader.push(bytes.subarray(at, at + size)));
    at += size;
  }
  events.push(...reader.end());
  return {
    prologues: events.flatMap((e) => (e.kind === "prologue" ? [e.prologue] : [])),
    blocks: events.flatMap((e) => (e.kind === "block" ? [e.block] : [])),
    problems: events.flatMap((e) => (e.kind === "problem" ? [e.problem] : [])),
  };
}

/** Without the line, by which the same block may be found elsewhere. */
export function contents(block: LoggedBlock): string {
  return JSON.stringify({ ...block, line: 0 }, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value));
}
