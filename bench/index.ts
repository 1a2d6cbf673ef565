/**
 * Measures what is fast, against what: `npm run bench [-- NAME…] [-- --json]`. Every other module of this folder is a
 * benchmark; a ratio compares two figures of the same run, so that the machine's own speed cancels out.
 */
import { readdir } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import path from "node:path";
import { Command } from "commander";
import { Output } from "../cli/terminal/output.js";
import { table } from "../cli/terminal/table.js";
import { EnvironmentFailure, UserError } from "../refinement/errors.js";
import type { Row } from "./row.js";

interface Benchmark {
  readonly name: string;
  readonly run: () => Promise<readonly Row[]>;
}

async function benchmarks(): Promise<readonly Benchmark[]> {
  const folder = path.dirname(fileURLToPath(import.meta.url));
  const modules = (await readdir(folder))
    .filter((file) => file.endsWith(".js") && !["index.js", "row.js"].includes(file))
    .sort();
  return Promise.all(
    modules.map(async (file) => {
      const loaded: { readonly default?: unknown } = await import(pathToFileURL(path.join(folder, file)).href);
      const run = loaded.default;
      if (!isBenchmark(run)) throw new UserError(`bench/${file} has no function as its default export`);
      return { name: file.replace(/\.js$/, ""), run };
    }),
  );
}

function isBenchmark(value: unknown): value is Benchmark["run"] {
  return typeof value === "function";
}

const program = new Command("npm run bench --")
  .description("measure what is fast, against what")
  .argument("[NAME...]", "only benchmarks whose file or row names contain one of these")
  .option("--json", "print one JSON document and nothing else on stdout")
  .option("--no-color", "no colours")
  .parse();

const out = new Output(program.opts());
const wanted = (name: string) => program.args.length === 0 || program.args.some((part) => name.includes(part));
const all = await benchmarks();
const chosen = all.some((b) => wanted(b.name)) ? all.filter((b) => wanted(b.name)) : all;
const rows: Row[] = [];
let failures = 0;
for (const [done, { name, run }] of chosen.entries()) {
  out.progress.update({ done, total: chosen.length, running: name });
  try {
    rows.push(...(await run()).filter((row) => wanted(name) || wanted(row.name)));
  } catch (error) {
    if (!(error instanceof EnvironmentFailure)) throw error;
    failures++;
    out.complain(`${name}: ${error.message}`);
  }
}
out.progress.close();
if (rows.length === 0 && failures === 0) {
  out.complain(`no benchmark is called ${program.args.join(" or ")}; there are: ${all.map((b) => b.name).join(", ")}`);
  process.exitCode = 2;
}

out.json({ benchmarks: rows });
const { bold, dim } = out.colors;
const head = ["benchmark", "value", "unit", "against", "value", "ratio"].map(dim);
const body = rows.map((r) => [
  r.name,
  figure(r.value),
  r.unit,
  r.baseline?.name ?? "",
  r.baseline === undefined ? "" : figure(r.baseline.value),
  r.ratio === undefined ? "" : bold(`${figure(r.ratio)}×`),
]);
for (const line of table([head, ...body], ["left", "right", "left", "left", "right", "right"])) out.line(line);

/** Three digits that mean something. */
function figure(value: number): string {
  if (value === 0) return "0";
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : Number(value.toPrecision(3)).toString();
}
