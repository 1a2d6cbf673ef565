/** Reading QEMU's translations: its log, in megabytes a second and with how much memory; and blocks a second, QEMU's own time included: read, and proved. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { packageRoot } from "../cli/package.js";
import { LogReader } from "../impl/qemu/log-reader.js";
import open from "../impl/qemu/translator.js";
import { runCampaign } from "../refinement/campaign/campaign.js";
import { defaultOptions } from "../refinement/campaign/options.js";
import { EnvironmentFailure } from "../refinement/errors.js";
import type { GuestBlock } from "../refinement/translation.js";
import { loadRefinement } from "../spec/notation/index.js";
import type { Row } from "./row.js";

const MEGABYTE = 1_000_000;
const LOG_SIZE = 60 * MEGABYTE;
const CHUNK = 1 << 16;
const BLOCKS = 1500;
/** Of a sweep, 60% of which are single instructions. */
const VALIDATED = 2500;
const CORES = 2;
/** The value of the trap for a misaligned jump, which QEMU has wrong. */
const BADADDR = "trap.value";

async function reading(root: string): Promise<readonly Row[]> {
  const saved = await readFile(path.join(root, "test", "impl", "qemu", "logs", "single.log"));
  const reader = new LogReader();
  let [size, blocks, most] = [0, 0, 0];
  const before = process.memoryUsage().heapUsed;
  const began = performance.now();
  while (size < LOG_SIZE) {
    for (let at = 0; at < saved.length; at += CHUNK) {
      for (const event of reader.push(saved.subarray(at, at + CHUNK))) if (event.kind === "block") blocks++;
    }
    size += saved.length;
    most = Math.max(most, process.memoryUsage().heapUsed - before);
  }
  const seconds = (performance.now() - began) / 1000;
  if (blocks === 0) throw new Error("the saved log has no blocks");
  return [
    { name: "qemu: reading its log", value: size / MEGABYTE / seconds, unit: "MB/s" },
    { name: "qemu: memory of reading", value: most / MEGABYTE, unit: `MB for ${LOG_SIZE / MEGABYTE} MB of log` },
  ];
}

async function translating(root: string): Promise<Row> {
  const refinement = await loadRefinement(path.join(root, "impl", "qemu", "refinement.yaml"));
  if (refinement.form !== "translator" || refinement.translator.kind !== "module")
    throw new Error("qemu has no module");
  const opened = await open(refinement.guest, refinement.translator.options, path.dirname(refinement.file));
  if (!("translator" in opened))
    throw new EnvironmentFailure("qemu-riscv64", "not installed: apt-get install qemu-user");
  const { translator } = opened;
  const signal = new AbortController().signal;
  const blocks: GuestBlock[] = [];
  for await (const block of translator.blocks?.({ count: BLOCKS, seed: 1, elf: undefined }, signal) ?? [])
    blocks.push(block);
  const began = performance.now();
  let count = 0;
  for await (const answer of translator.translate(blocks, signal)) if (answer.kind === "translated") count++;
  const seconds = (performance.now() - began) / 1000;
  await translator.close();
  if (count !== blocks.length) throw new Error(`${count} of ${blocks.length} blocks are translated`);
  return { name: "qemu: translations made and read", value: count / seconds, unit: "blocks/s" };
}

/** Single-instruction blocks made by QEMU, read and proved, each at all its exits and faults; but for what docs/findings.md has of them. */
async function validating(root: string): Promise<Row> {
  const file = path.join(root, "impl", "qemu", "refinement.yaml");
  const { guest } = await loadRefinement(file);
  const names = (guest.instructionSet?.instructions ?? []).map((i) => i.name);
  const began = performance.now();
  const { report, findings } = await runCampaign([file], {
    ...defaultOptions(),
    only: names.flatMap((name) => [`commute/${name}-*`, `materialize/${name}-*`]),
    cases: VALIDATED,
    jobs: CORES,
  });
  const seconds = (performance.now() - began) / 1000;
  const obligations = report.refinements.flatMap((r) => r.obligations);
  const open = obligations.find((o) => o.verdict !== "proved" && o.verdict !== "refuted");
  if (open !== undefined) throw new Error(`${open.name} is ${open.verdict}`);
  const other = findings.find(({ counterexample }) => counterexample.cause.variable !== BADADDR);
  if (other !== undefined) throw new Error(`${other.counterexample.obligation} is refuted`);
  const blocks = new Set(obligations.map((o) => o.name.split("/")[1]));
  return {
    name: "qemu: blocks of one instruction validated",
    value: blocks.size / seconds,
    unit: `blocks/s, ${CORES} threads`,
  };
}

export default async function (): Promise<readonly Row[]> {
  const root = packageRoot();
  return [...(await reading(root)), await translating(root), await validating(root)];
}
