/** The processor that QEMU makes code for. What it emits depends on some of its features (tcg_target_init in tcg/i386/tcg-target.c.inc). */
import { readFile } from "node:fs/promises";
import os from "node:os";

/** As /proc/cpuinfo calls them: those that QEMU 7.2 asks for. */
const FEATURES = [
  "cmov",
  "movbe",
  "popcnt",
  "bmi1",
  "bmi2",
  "abm",
  "avx",
  "avx2",
  "avx512f",
  "avx512vl",
  "avx512bw",
  "avx512dq",
];

export async function hostFeatures(): Promise<string> {
  const model = os.cpus()[0]?.model ?? "unknown processor";
  const info = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(info)?.[1]?.split(" ") ?? []);
  const found = flags.size === 0 ? "features unknown" : FEATURES.filter((f) => flags.has(f)).join(" ");
  return `${model} (${os.arch()}: ${found})`;
}
