/**
 * A counterexample for a reader: value by value, what the guest's definition computes and what the host does.
 */
import { type Code, type Counterexample, explanationText } from "./counterexample.js";
import { formatScalar } from "./execute/difference.js";
import type { Machine, ScalarType } from "./machine.js";
import type { Refinement } from "./refinement.js";

/** Runs of one step are folded; a longer schedule than this is shown by its ends. */
const MOST_STEPS = 24;
const MOST_DIFFERENCES = 16;

/** Several lines, without a newline at the end. With the refinement, values are shown by their types and names. */
export function renderCounterexample(c: Counterexample, refinement?: Refinement): string {
  const machine =
    c.obligation === "inverse" || c.obligation.startsWith("lockstep/") || refinement?.form === "emulator"
      ? refinement?.guest
      : hostOf(refinement);
  const sections = [
    [c.title],
    [`  refinement  ${c.refinement}${c.fault === undefined ? "" : ` with the seeded fault ${c.fault}`}`],
    [`  obligation  ${c.obligation}`],
    [`  found       ${foundText(c)}`],
    c.found.run === undefined ? [] : [`  run         ${c.found.run}`],
    c.found.known === undefined ? [] : [`  explained   ${explanationText(c.found.known)}`],
    codeLines("guest program", c.guest),
    codeLines("host code", c.host),
    stateLines(c, machine),
    deniedLines(c),
    scheduleLines(c, hostOf(refinement)),
    differenceLines(c),
  ];
  return sections.flat().join("\n");
}

function hostOf(refinement: Refinement | undefined): Machine | undefined {
  return refinement === undefined || refinement.form === "emulator" ? undefined : refinement.host;
}

function foundText({ found }: Counterexample): string {
  const { by, solver, seed, date } = found;
  const parts = [by, solver === undefined ? "" : `with ${solver}`, seed === undefined ? "" : `seed ${seed}`, date];
  return parts.filter((part) => part !== "").join(", ");
}

function codeLines(title: string, code: Code | undefined): readonly string[] {
  if (code === undefined || code.code === "") return [];
  const words = code.code.split(" ");
  const width = Math.max(...words.map((w) => w.length));
  let address = code.pc;
  const lines = words.map((word, i) => {
    const line = `    0x${address.toString(16)}  ${word.padEnd(width)}  ${code.assembly[i] ?? ""}`.trimEnd();
    address += BigInt(word.length / 2);
    return line;
  });
  return [`  ${title}`, ...lines];
}

function stateLines(c: Counterexample, machine: Machine | undefined): readonly string[] {
  const entries = Object.entries(c.state);
  const which = /^(inverse$|lockstep\/)/.test(c.obligation) ? "guest state" : "state";
  if (entries.length === 0) return [`  ${which}: all zero`];
  const width = Math.max(...entries.map(([name]) => name.length));
  const lines = entries.map(([name, value]) => `    ${name.padEnd(width)}  ${valueText(name, value, machine)}`);
  return [`  ${which} (what is not named is zero)`, ...lines];
}

function valueText(name: string, value: bigint | string, machine: Machine | undefined): string {
  if (typeof value === "string") return value;
  const type = scalarType(name, machine);
  return type === undefined ? `0x${value.toString(16)}` : formatScalar(type, value);
}

function scalarType(name: string, machine: Machine | undefined): ScalarType | undefined {
  const type = machine?.variables.find((v) => v.name === name.replace(/\[[^\]]*\]/, ""))?.type;
  if (type === undefined || type.kind === "memory") return undefined;
  return type.kind === "file" ? type.element : type;
}

function deniedLines({ inaccessible }: Counterexample): readonly string[] {
  if (inaccessible.length === 0) return [];
  const lines = inaccessible.map(({ memory, access, address, bytes }) => {
    const range = bytes === 1n ? `byte 0x${address.toString(16)}` : `${bytes} bytes from 0x${address.toString(16)}`;
    return `    ${access} of ${memory}: ${range}`;
  });
  return ["  the environment denies", ...lines];
}

function scheduleLines({ schedule }: Counterexample, host: Machine | undefined): readonly string[] {
  if (schedule.length === 0) return [];
  const steps = schedule.map(({ transition, arguments: args }) => {
    const entries = Object.entries(args);
    const types = host?.transitions.find((t) => t.name === transition);
    const shown = entries.map(([name, value]) => {
      const input = [...(types?.parameters ?? []), ...(types?.choices ?? [])].find((p) => p.name === name);
      return `${name} = ${input === undefined ? `0x${value.toString(16)}` : formatScalar(input.type, value)}`;
    });
    return entries.length === 0 ? transition : `${transition}(${shown.join(", ")})`;
  });
  const folded: { step: string; count: number }[] = [];
  for (const step of steps) {
    const last = folded.at(-1);
    if (last?.step === step) last.count++;
    else folded.push({ step, count: 1 });
  }
  const texts = folded.map(({ step, count }) => (count === 1 ? step : `${step} × ${count}`));
  const half = MOST_STEPS / 2;
  const shown = texts.length <= MOST_STEPS ? texts : [...texts.slice(0, half), "…", ...texts.slice(-half)];
  const noun = schedule.length === 1 ? "1 host step" : `${schedule.length} host steps, the last of which goes wrong`;
  return [`  ${noun}`, `    ${shown.join(", ")}`];
}

function differenceLines({ differs }: Counterexample): readonly string[] {
  const rows = differs.slice(0, MOST_DIFFERENCES).map(({ variable, guest, host }) => [variable, guest, host] as const);
  const table = [["", "guest", "host"] as const, ...rows];
  const [a, b] = [0, 1].map((column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  const lines = table.map(([variable, guest, host]) =>
    `    ${variable.padEnd(a ?? 0)}  ${guest.padEnd(b ?? 0)}  ${host}`.trimEnd(),
  );
  const more = differs.length > MOST_DIFFERENCES ? [`    and ${differs.length - MOST_DIFFERENCES} more`] : [];
  return ["  after it, side by side", ...lines, ...more];
}
