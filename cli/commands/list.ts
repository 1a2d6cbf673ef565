import type { Command } from "commander";
import { type Definition, machineName, readDefinition, record, text } from "../definition.js";
import type { Summary } from "../../refinement/verdict.js";
import { lastVerdict } from "../last-verdict.js";
import { discover, type Entry, type Project, show } from "../project.js";
import { commonOptions, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { table } from "../terminal/table.js";
import { colorOf } from "../terminal/verdict-color.js";

export function addList(program: Command): Command {
  return commonOptions(program.command("list"))
    .description("list every machine and refinement found: kind, guest, host, last verdict")
    .addHelpText(
      "after",
      `
Lists the project of the current folder (its spec/ and impl/) and what comes built in.

Examples:
  commute list
  commute list --json | jq -r '.refinements[].name'`,
    )
    .action((options: CommonOptions) => session(options, ({ out }) => list(out)));
}

async function list(out: Output): Promise<number> {
  const project = await discover();
  const machines = await Promise.all(
    project.machines.map(async ({ name, file, isBuiltIn }) => {
      const definition = await readDefinition(file);
      return { name, title: text(definition["title"]), file: show(file), isBuiltIn };
    }),
  );
  const refinements = await Promise.all(project.refinements.map((entry) => describe(project, entry)));
  const documented = ({ isBuiltIn: _, ...rest }: { readonly isBuiltIn: boolean }) => rest;
  out.json({ machines: machines.map(documented), refinements: refinements.map(documented) });

  const { bold, dim } = out.colors;
  out.detail(bold("Machines"));
  for (const row of table(machines.map((m) => [m.name, m.title, dim(where(m))]))) out.line(`  ${row}`);
  out.detail();
  out.detail(bold("Refinements"));
  const rows = refinements.map((r) => [
    r.name,
    r.kind,
    `${r.guest} ◁ ${r.host}`,
    r.last === null ? dim("not checked") : colorOf(out.colors, r.last)(r.last),
    dim(where(r)),
  ]);
  for (const row of table(rows)) out.line(`  ${row}`);
  return 0;
}

function where({ file, isBuiltIn }: { readonly file: string; readonly isBuiltIn: boolean }): string {
  return isBuiltIn ? "built in" : file;
}

interface Described {
  readonly isBuiltIn: boolean;
  readonly name: string;
  readonly title: string;
  readonly kind: string;
  readonly guest: string;
  readonly host: string;
  readonly file: string;
  readonly faults: readonly string[];
  readonly last: Summary | null;
}

async function describe(project: Project, entry: Entry): Promise<Described> {
  const definition = await readDefinition(entry.file);
  return {
    name: entry.name,
    title: text(definition["title"]),
    kind: text(definition["kind"]),
    guest: machineName(project, entry, reference(definition["guest"])),
    host: hostName(project, entry, definition),
    file: show(entry.file),
    isBuiltIn: entry.isBuiltIn,
    faults: Object.keys(record(definition["faults"])),
    last: await lastVerdict(project, entry.file),
  };
}

/** A machine is named, or named with values for its parameters. */
function reference(written: unknown): string {
  return text(written) || text(record(written)["base"]);
}

/** An emulator is no machine of ours: it is called by its own name, or by its module's folder. */
function hostName(project: Project, entry: Entry, definition: Definition): string {
  const host = reference(definition["host"]);
  return host === ""
    ? text(record(definition["emulator"])["program"]) || entry.name
    : machineName(project, entry, host);
}
