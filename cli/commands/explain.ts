import type { Command } from "commander";
import { unreachable } from "../../refinement/errors.js";
import type { Refinement } from "../../refinement/refinement.js";
import { type Definition, readDefinition, record, text } from "../definition.js";
import { type HostClaim, hostClaim } from "../host-claim.js";
import { refinementNamed } from "../load.js";
import { show } from "../project.js";
import { commonOptions, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { table } from "../terminal/table.js";

export function addExplain(program: Command): Command {
  return commonOptions(program.command("explain"))
    .description("show a refinement: the mapping guest feature → host feature, its obligations and assumptions")
    .argument("<REFINEMENT>", "a name from `commute list`, or a path to a refinement file")
    .addHelpText(
      "after",
      `
Examples:
  commute explain pipeline
  commute explain pipeline --json | jq '.obligations | length'`,
    )
    .action((name: string, options: CommonOptions) => session(options, ({ out }) => explain(name, out)));
}

async function explain(name: string, out: Output): Promise<number> {
  const refinement = await refinementNamed(name);
  const written = await readDefinition(refinement.file);
  const explanation = {
    version: 1,
    name: refinement.name,
    title: refinement.title,
    kind: refinement.kind,
    file: show(refinement.file),
    guest: refinement.guest.name,
    host: hostOf(refinement),
    mapping: refinement.mapping,
    abstraction: strings(written["abstraction"]),
    flush: text(written["flush"]),
    invariant: strings(written["invariant"]),
    steps: strings(written["steps"]),
    rank: text(written["rank"]),
    ...hostClaim(refinement),
    request: text(written["request"]),
    materialize: refinement.form === "machine" ? refinement.materialize.map((point) => point.name) : [],
    obligations: await obligationsOf(refinement),
    assumptions: refinement.assumptions.map((a) => a.text),
    faults: refinement.faults.map(({ name, title, source, obligation, variable, materialization }) => ({
      name,
      title,
      source: source ?? null,
      obligation,
      variable: variable ?? null,
      materialization,
    })),
  };
  out.json(explanation);
  render(explanation, out);
  return 0;
}

type Explanation = Readonly<HostClaim> &
  Readonly<{
    name: string;
    title: string;
    kind: string;
    file: string;
    guest: string;
    host: string;
    mapping: Refinement["mapping"];
    abstraction: Readonly<Record<string, string>>;
    flush: string;
    invariant: Readonly<Record<string, string>>;
    steps: Readonly<Record<string, string>>;
    rank: string;
    request: string;
    obligations: readonly string[];
    assumptions: readonly string[];
    faults: readonly { readonly name: string; readonly title: string; readonly obligation: string }[];
  }>;

function render(e: Explanation, out: Output): void {
  const { bold, dim } = out.colors;
  const section = (title: string, lines: readonly string[]) => {
    if (lines.length === 0) return;
    out.line();
    out.line(bold(title));
    for (const line of lines) out.line(`  ${line}`);
  };
  const formulas = (entries: Readonly<Record<string, string>>) =>
    Object.entries(entries).flatMap(([k, v]) => formula(k, v));

  out.line(`${bold(e.name)}  ${e.title}`);
  out.line(dim(`${e.kind}: guest ${e.guest}, host ${e.host}; ${e.file}`));
  section("Mapping: guest feature → host feature", table(e.mapping.map(({ guest, host }) => [guest, `→ ${host}`])));
  const flushed = e.flush === "" ? "host state" : `host state after ${e.flush}`;
  section(`Abstraction: guest state = … over ${flushed}`, formulas(e.abstraction));
  section("Invariant", formulas(e.invariant));
  section("Steps: host transition = … guest steps", formulas(e.steps));
  section("Rank: falls at every stutter", e.rank === "" ? [] : e.rank.split("\n"));
  section(
    "Regions: the host's memory that its code may access",
    table(e.regions.map(({ name, lies }) => [name, lies])),
  );
  section("Preserved at every exit", e.preserve.length === 0 ? [] : [e.preserve.join(", ")]);
  section("Interrupt requested: a block may be left with nothing executed", e.request === "" ? [] : [e.request]);
  section("Host functions that the code may call", e.helpers);
  section(
    "Views: other abstractions, where a translation names them",
    table(e.views.map(({ name, seen }) => [name, seen === null ? "all is seen" : `seen: ${seen.join(", ")}`])),
  );
  section(`Obligations (${e.obligations.length})`, families(e.obligations));
  section("Assumptions", e.assumptions.length === 0 ? ["none"] : e.assumptions);
  section(
    "Seeded faults: check with --fault NAME",
    table(e.faults.map((f) => [f.name, f.title, dim(`found by ${f.obligation}`)])),
  );
}

/** `commute/cycle/addi`, `commute/cycle/add`, … on one line, as there can be hundreds. */
function families(obligations: readonly string[]): string[] {
  const members = new Map<string, string[]>();
  for (const name of obligations) {
    const cut = name.lastIndexOf("/");
    const family = name.slice(0, Math.max(0, cut));
    members.set(family, [...(members.get(family) ?? []), name.slice(cut + 1)]);
  }
  return [...members].flatMap(([family, of]) => {
    if (family === "") return of;
    return of.length === 1 ? of.map((name) => `${family}/${name}`) : [`${family}/{${of.join(", ")}}`];
  });
}

function formula(name: string, body: string): string[] {
  const lines = body.split("\n");
  return lines.length === 1 ? [`${name} = ${body}`] : [`${name} =`, ...lines.map((line) => `  ${line}`)];
}

/** An entry of the file as the author wrote it; one string that stands for the whole goes without a name. */
function strings(value: unknown): Readonly<Record<string, string>> {
  if (typeof value === "string") return { I: value.trim() };
  const entries: Definition = record(value);
  return Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, text(entry)]));
}

/**
 * Of a black box, those about single instructions; those about programs are found when it is run. A translator's are named after the
 * block and the host instruction.
 */
async function obligationsOf(refinement: Refinement): Promise<readonly string[]> {
  switch (refinement.form) {
    case "machine": {
      const { obligations } = await import("../../refinement/diagram.js");
      return obligations(refinement).map((o) => o.name);
    }
    case "emulator":
      return refinement.guest.transitions.map((t) => `commute/${t.name}`);
    case "translator": {
      const { hasEngine } = await import("../../refinement/translation/open.js");
      return [
        "commute/BLOCK/exit+N",
        "commute/BLOCK/point+N",
        "commute/BLOCK/host+N",
        "materialize/BLOCK/+N",
        ...((await hasEngine(refinement)) ? ["lockstep/PROGRAM"] : []),
      ];
    }
    default:
      return unreachable(refinement);
  }
}

function hostOf(refinement: Refinement): string {
  switch (refinement.form) {
    case "machine":
    case "translator":
      return refinement.host.name;
    case "emulator":
      return refinement.name;
    default:
      return unreachable(refinement);
  }
}
